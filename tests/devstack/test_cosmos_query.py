"""Queries as the SDK sends them: results, pages and refusals."""

import pytest

from tests.devstack.cosmos_account import local_account, status_of


@pytest.fixture(scope="module", params=[1, 4], ids=["1 partition", "4 partitions"])
def account(request):
    with local_account(request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def filled(account):
    """25 items q00 to q24 under Q, which no test changes, and one under another key."""
    container = account.new_container()
    items = [
        {"id": f"q{i:02d}", "pk": "Q", "n": i, "s": "xy"[i % 2], "o": {"k": i}, "tags": [i % 3]}
        for i in range(25)
    ]
    container.execute_item_batch([("create", (item,)) for item in items], partition_key="Q")
    container.create_item({"id": "q01", "pk": "other"})
    return container


def query(container, text, **parameters):
    given = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
    return list(container.query_items(text, parameters=given, partition_key="Q"))


def ids(items):
    return [item["id"] for item in items]


def test_a_query_filters_by_parameters_and_orders(filled):
    items = query(
        filled, "SELECT * FROM c WHERE c.n >= @a AND c.s = @s ORDER BY c.n DESC", a=10, s="y"
    )

    assert [item["n"] for item in items] == [23, 21, 19, 17, 15, 13, 11]


def test_a_query_sees_only_its_logical_partition(filled):
    assert len(query(filled, "SELECT c.id FROM c")) == 25


def test_a_query_across_partitions_must_be_asked_for(filled):
    text = "SELECT * FROM c WHERE c.id = 'q01'"

    everywhere = list(filled.query_items(text, enable_cross_partition_query=True))

    assert sorted(item["pk"] for item in everywhere) == ["Q", "other"]
    assert status_of(lambda: list(filled.query_items(text))) == 400


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("c.id IN ('q01', 'q02', 'nope')", ["q01", "q02"]),
        ("ARRAY_CONTAINS(@ids, c.id)", ["q03", "q07"]),
        ("c.id >= @low AND c.id < @high", ["q05", "q06"]),
        ("@high > c.id AND @low <= c.id", ["q05", "q06"]),
        ("c.id BETWEEN @low AND @high", ["q05", "q06", "q07"]),
        ("c.id = @low", ["q05"]),
        ("NOT (c.id > 'q01')", ["q00", "q01"]),
        ("c.id = 'q01' OR c.id = 'q02'", ["q01", "q02"]),
        ("STARTSWITH(c.id, 'q2')", ["q20", "q21", "q22", "q23", "q24"]),
        ("c.id IN ()", None),
    ],
)
def test_ids_are_found_by_every_way_to_name_them(filled, where, wanted):
    text = f"SELECT * FROM c WHERE {where} ORDER BY c.id"  # noqa: S608 - the cases above
    parameters = {"ids": ["q07", "q03"], "low": "q05", "high": "q07"}

    if wanted is None:
        assert status_of(lambda: query(filled, text, **parameters)) == 400
    else:
        assert ids(query(filled, text, **parameters)) == wanted


def test_a_query_counts_projects_and_windows(filled):
    assert query(filled, "SELECT VALUE COUNT(1) FROM c") == [25]
    assert query(filled, "SELECT c.id, c.o.k AS deep FROM c WHERE c.n = 3") == [
        {"id": "q03", "deep": 3}
    ]
    assert ids(query(filled, "SELECT * FROM c ORDER BY c.id OFFSET 3 LIMIT 2")) == ["q03", "q04"]
    assert ids(query(filled, "SELECT TOP 2 * FROM c ORDER BY c.id DESC")) == ["q24", "q23"]
    assert query(filled, "SELECT VALUE MAX(c.n) FROM c") == [24]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM c",
        "SELECT * FROM c ORDER BY c.id",
        "SELECT * FROM c ORDER BY c.n",
        "SELECT * FROM c WHERE c.id >= 'q00' AND c.id < 'r'",
        "SELECT TOP 25 * FROM c ORDER BY c.id",
    ],
)
def test_pages_resumed_by_their_token_neither_repeat_nor_miss(filled, text):
    seen, token, pages = [], None, 0
    while pages == 0 or token:
        pager = filled.query_items(text, partition_key="Q", max_item_count=10).by_page(token)
        page = ids(next(pager))
        assert len(page) <= 10
        seen += page
        token = pager.continuation_token
        pages += 1

    assert seen == [f"q{i:02d}" for i in range(25)]
    assert pages == 3


def test_pages_going_down_resume_below_the_last_item(filled):
    text = "SELECT * FROM c ORDER BY c.id DESC"
    pager = filled.query_items(text, partition_key="Q", max_item_count=20).by_page()
    list(next(pager))

    rest = filled.query_items(text, partition_key="Q").by_page(pager.continuation_token)

    assert ids(next(rest)) == ["q04", "q03", "q02", "q01", "q00"]


@pytest.mark.parametrize("order", ["", " ORDER BY c.id", " ORDER BY c.n"])
def test_a_page_resumes_where_it_ended_although_items_came_and_went(account, order):
    container = account.new_container()
    for number in (10, 20, 30, 40):
        container.create_item({"id": f"{number}", "pk": "Q", "n": number})
    text = f"SELECT * FROM c{order}"  # noqa: S608 - the cases above
    pager = container.query_items(text, partition_key="Q", max_item_count=2).by_page()
    first = ids(next(pager))

    container.delete_item("20", "Q")
    container.delete_item("10", "Q")
    if order:
        container.create_item({"id": "05", "pk": "Q", "n": 5})
    rest = container.query_items(text, partition_key="Q").by_page(pager.continuation_token)

    assert first == ["10", "20"]
    assert ids(next(rest)) == ["30", "40"]


def test_a_token_of_another_query_is_refused(filled):
    pager = filled.query_items("SELECT * FROM c", partition_key="Q", max_item_count=1).by_page()
    next(pager)
    other = filled.query_items("SELECT c.id FROM c", partition_key="Q")

    assert status_of(lambda: next(other.by_page(pager.continuation_token))) == 400


def test_a_page_ends_at_four_megabytes(account):
    container = account.new_container()
    for number in range(5):
        container.create_item({"id": f"{number}", "pk": "Q", "b": "x" * 1_000_000})

    pages = container.query_items("SELECT * FROM c", partition_key="Q").by_page()

    assert [len(list(page)) for page in pages] == [4, 1]


def test_expired_items_are_not_found_by_queries(account):
    container = account.new_container(default_ttl=-1)
    container.create_item({"id": "1", "pk": "Q", "ttl": 5})
    container.create_item({"id": "2", "pk": "Q"})

    account.clock.seconds += 5

    assert ids(query(container, "SELECT * FROM c")) == ["2"]


def test_many_items_are_read_at_once(filled):
    items = filled.read_items([("q01", "Q"), ("q02", "Q"), ("q01", "other"), ("nope", "Q")])

    assert sorted(item["id"] for item in items) == ["q01", "q01", "q02"]


def test_all_items_of_the_container_are_listed(filled):
    assert len(list(filled.read_all_items())) == 26


def test_an_order_by_a_property_left_out_of_the_index_is_refused(account):
    container = account.new_container(
        indexing_policy={
            "indexingMode": "consistent",
            "includedPaths": [{"path": "/n/?"}],
            "excludedPaths": [{"path": "/*"}],
        }
    )
    container.create_item({"id": "1", "pk": "Q", "n": 1, "m": 1})

    assert status_of(lambda: query(container, "SELECT * FROM c ORDER BY c.m")) == 400
    assert ids(query(container, "SELECT * FROM c ORDER BY c.n")) == ["1"]
    assert ids(query(container, "SELECT * FROM c ORDER BY c.id")) == ["1"]


@pytest.mark.parametrize(
    "text",
    [
        "SELEC * FORM c",
        "SELECT * FROM c WHERE c.n = @nobody",
        "SELECT c.s, COUNT(1) FROM c GROUP BY c.s",
        "SELECT * FROM c ORDER BY c.s, c.n",
        "SELECT * FROM c ORDER BY c.nowhere",
    ],
)
def test_a_query_beyond_the_subset_is_refused(filled, text):
    assert status_of(lambda: query(filled, text)) == 400
