"""The change feed: the latest version of everything that changed, per feed range, resumable."""

import datetime as dt

import pytest

from tests.devstack.cosmos_account import local_account, status_of


@pytest.fixture(scope="module", params=[1, 4], ids=["1 partition", "4 partitions"])
def account(request):
    with local_account(request.param) as opened:
        yield opened


@pytest.fixture
def container(account):
    """Items 0 to 6 under p0 and p1 in turn; item 0 changed last."""
    container = account.new_container()
    for number in range(7):
        container.create_item({"id": str(number), "pk": f"p{number % 2}", "v": 0})
    container.replace_item("0", {"id": "0", "pk": "p0", "v": 1})
    return container


def ids(items):
    return [item["id"] for item in items]


def token_of(container):
    """The documented way to learn the token after reading to the end."""
    return container.client_connection.last_response_headers["etag"]


def tokens_at_the_end(container):
    tokens = []
    for feed_range in container.read_feed_ranges():
        list(container.query_items_change_feed(feed_range=feed_range, start_time="Beginning"))
        tokens.append(token_of(container))
    return tokens


def test_the_feed_shows_latest_versions_in_order_of_change(container):
    items = list(container.query_items_change_feed(start_time="Beginning"))

    assert ids(item for item in items if item["pk"] == "p0") == ["2", "4", "6", "0"]
    assert ids(item for item in items if item["pk"] == "p1") == ["1", "3", "5"]
    assert [item["v"] for item in items if item["id"] == "0"] == [1]
    assert all(isinstance(item["_lsn"], int) for item in items)


def test_there_is_a_feed_range_for_every_physical_partition(account, container):
    assert len(list(container.read_feed_ranges())) == account.partitions


def test_a_token_per_feed_range_resumes_in_mid_pass(container):
    seen = []
    for feed_range in container.read_feed_ranges():
        pager = container.query_items_change_feed(
            feed_range=feed_range, start_time="Beginning", max_item_count=2
        ).by_page()
        seen += ids(next(pager, ()))
        token = pager.continuation_token or token_of(container)
        seen += ids(container.query_items_change_feed(continuation=token))

    assert sorted(seen) == list("0123456")


def test_a_token_shows_only_later_changes_and_no_deletion(container):
    tokens = tokens_at_the_end(container)
    container.create_item({"id": "new", "pk": "p1"})
    container.delete_item("2", "p0")

    later = [
        item["id"]
        for token in tokens
        for item in container.query_items_change_feed(continuation=token)
    ]

    assert later == ["new"]


def test_a_partition_key_limits_the_feed(container):
    items = container.query_items_change_feed(start_time="Beginning", partition_key="p1")

    assert ids(items) == ["1", "3", "5"]


def test_a_start_time_limits_the_feed(account, container):
    account.clock.seconds += 3600
    start = dt.datetime.fromtimestamp(account.clock.seconds, dt.UTC)
    container.create_item({"id": "late", "pk": "p1"})

    items = container.query_items_change_feed(start_time=start, partition_key="p1")

    assert ids(items) == ["late"]


def test_a_feed_that_starts_now_shows_the_next_write(container):
    assert list(container.query_items_change_feed(start_time="Now")) == []
    token = token_of(container)

    container.create_item({"id": "next", "pk": "p0"})

    assert ids(container.query_items_change_feed(continuation=token)) == ["next"]


def test_the_mode_with_all_versions_and_deletes_is_refused(container):
    assert (
        status_of(lambda: list(container.query_items_change_feed(mode="AllVersionsAndDeletes")))
        == 400
    )
