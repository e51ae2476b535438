"""A row's CloudEvents form is what the SDK takes for one, and gives back unchanged."""

from dataclasses import replace

import pytest
from cloudevents.conversion import to_binary, to_json, to_structured
from cloudevents.http import from_dict, from_http, from_json

from cell_core.domain.errors import InvalidInput
from cell_lake.domain.cloud_events import cloud_event
from tests.lake.table_suite import ROW

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_sdk_reads_what_it_is() -> None:
    event = from_dict(cloud_event(replace(ROW, traceparent=TRACE, seq=7, index=2)))

    attributes = event.get_attributes()
    assert attributes["specversion"] == "1.0"
    assert attributes["source"] == "urn:cells:T-1:records:main"
    assert attributes["type"] == "records.record_put.v1"
    assert attributes["id"] == "17.00000000000000000007.02"
    assert attributes["sequence"] == "00000000000000000007.02"
    assert attributes["time"] == "2023-11-14T22:13:19.123Z"
    assert attributes["traceparent"] == TRACE
    assert event.get_data() == {"id": "ü"}


@pytest.mark.parametrize("form", [to_structured, to_binary])
def test_it_survives_http_in_both_forms(form) -> None:
    wanted = from_dict(cloud_event(replace(ROW, traceparent=TRACE)))

    headers, body = form(wanted)
    event = from_http(headers, body)

    # In the binary form every attribute is a header, and a number is text.
    found = {name: str(value) for name, value in event.get_attributes().items()}
    assert found == {name: str(value) for name, value in wanted.get_attributes().items()}
    assert event.get_data() == wanted.get_data()


def test_it_survives_json() -> None:
    wanted = from_dict(cloud_event(ROW))

    assert from_json(to_json(wanted)) == wanted


def test_names_of_attributes_are_lower_case_letters_and_digits_and_texts_are_not_empty() -> None:
    event = cloud_event(ROW)

    assert all(name.isalnum() and name.islower() for name in event)
    assert all(value != "" for value in event.values())
    assert "traceparent" not in event


def test_events_of_a_stream_sort_by_their_sequence() -> None:
    places = [(seq, index) for seq in (2, 10, 10**9) for index in (0, 1, 9)]

    texts = [cloud_event(replace(ROW, seq=s, index=i))["sequence"] for s, i in places]

    assert texts == sorted(texts)


@pytest.mark.parametrize("gone", [{"type": None, "data": None}, {"time_ms": None}])
def test_a_row_without_an_event_has_no_such_form(gone) -> None:
    with pytest.raises(InvalidInput):
        cloud_event(replace(ROW, **gone))
