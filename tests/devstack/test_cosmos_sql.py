"""The query subset: what it computes, and that it refuses everything else."""

import json
from types import SimpleNamespace

import pytest

from cell_devstack.cosmos.errors import CosmosError
from cell_devstack.cosmos.sql_prefilter import id_conditions
from cell_devstack.cosmos.sql_run import bound_parameters, matches, run
from cell_devstack.cosmos.sql_statement import parse_statement

ITEM = {
    "id": "i",
    "n": 4,
    "s": "text",
    "yes": True,
    "none": None,
    "list": [1, "two"],
    "o": {"k": 1},
    "value": 7,
    "order": {"by": 1},
    "tags": [{"t": "a", "w": 1}, {"t": "b", "w": 2}],
}


def selected(text, *documents, **parameters):
    statement = parse_statement(text)
    given = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
    rows = [
        SimpleNamespace(number=number, text=json.dumps(document))
        for number, document in enumerate(documents or [ITEM])
    ]
    results = run(statement, bound_parameters(statement, given), rows)
    return [json.loads(result.text) for result in results]


def value_of(expression):
    return selected("SELECT VALUE <e> FROM c".replace("<e>", expression))


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("1 + 2 * 3 - 4 / 2", 5.0),
        ("(1 + 2) * 3", 9),
        ("-c.n", -4),
        ("7 % 4", 3.0),
        ("'a' || 'b'", "ab"),
        ("c.list[1]", "two"),
        ("c['o']['k']", 1),
        ("c.value", 7),
        ("c.order.by", 1),
        ("[c.n, c.nope, 'x']", [4, "x"]),
        ("'it\\'s \"q\" \\n'", 'it\'s "q" \n'),
        ('"it\'s"', "it's"),
        ("1e3", 1000.0),
        ("UPPER(c.s)", "TEXT"),
        ("lower('ABC')", "abc"),
        ("LENGTH(c.s)", 4),
        ("CONCAT('a', 'b', 'c')", "abc"),
        ("SUBSTRING(c.s, 1, 2)", "ex"),
        ("ARRAY_LENGTH(c.list)", 2),
        ("ABS(-4)", 4),
        ("FLOOR(1.5)", 1),
        ("CEILING(1.5)", 2),
        ("null", None),
    ],
)
def test_an_expression_has_its_value(expression, wanted):
    assert value_of(expression) == [wanted]


@pytest.mark.parametrize(
    "expression",
    [
        "c.nope",
        "c.s.deeper",
        "c.list[9]",
        "1 + 'a'",
        "1 / 0",
        "'a' || 1",
        "UPPER(1)",
        "undefined",
        "1 < 'a'",
        "c.list < c.list",
        "c.nope = 1",
        "NOT 1",
        "SUM(c.s)",
        "AVG(c.nope)",
        "MIN(c.nope)",
        "STARTSWITH(c.n, 'a')",
    ],
)
def test_what_cannot_be_computed_is_undefined_and_no_result(expression):
    assert value_of(expression) == []


@pytest.mark.parametrize(
    "condition",
    [
        "c.n = 4",
        "c.n != 5 AND c.n <> '4'",
        "c.n >= 4 and c.n <= 4",
        "c.n BETWEEN 3 AND 5 AND c.n < 6",
        "c.n NOT BETWEEN 5 AND 6",
        "c.n IN (1, 4)",
        "c.n NOT IN (1, '4')",
        "c.s LIKE 't_x%'",
        "NOT c.s LIKE '%z'",
        "c.nope = 1 OR c.yes",
        "NOT (c.nope = 1 AND c.n = 5)",
        "c.none = null AND IS_NULL(c.none)",
        "IS_DEFINED(c.none) AND NOT IS_DEFINED(c.nope)",
        "c.o = c.o AND c.list = [1, 'two']",
        "NOT (c.yes = 1)",
        "STARTSWITH(c.s, 'TE', true) AND ENDSWITH(c.s, 'xt') AND CONTAINS(c.s, 'ex')",
        "ARRAY_CONTAINS(c.list, 'two') AND NOT ARRAY_CONTAINS(c.list, '1')",
        "ARRAY_CONTAINS(c.tags, c.tags[0])",
        "IS_NUMBER(c.n) AND IS_STRING(c.s) AND IS_BOOL(c.yes) AND IS_ARRAY(c.list)",
        "IS_OBJECT(c.o) AND IS_PRIMITIVE(c.n) AND NOT IS_PRIMITIVE(c.o)",
        "STRINGEQUALS(c.s, 'TEXT', true)",
    ],
)
def test_a_condition_that_holds_selects_the_item(condition):
    assert matches(parse_statement(f"FROM c WHERE {condition}"), ITEM)
    assert not matches(parse_statement(f"FROM c WHERE NOT ({condition})"), ITEM)


def test_a_condition_that_is_undefined_selects_nothing_either_way():
    assert not matches(parse_statement("FROM c WHERE c.nope = 1"), ITEM)
    assert not matches(parse_statement("FROM c WHERE NOT (c.nope = 1)"), ITEM)
    assert not matches(parse_statement("FROM c WHERE c.n"), ITEM)


def test_a_join_pairs_the_item_with_each_element():
    assert selected("SELECT c.id, t.w FROM c JOIN t IN c.tags WHERE t.t = 'b'") == [
        {"id": "i", "w": 2}
    ]


def test_aggregates_take_the_selected_items_only():
    items = [{"n": 1}, {"n": 2}, {"n": 6}, {"m": 1}]

    assert selected("SELECT VALUE SUM(c.n) FROM c WHERE c.n > 1", *items) == [8]
    assert selected("SELECT COUNT(c.n) AS k, AVG(c.n) AS a FROM c", *items) == [{"k": 3, "a": 3.0}]
    assert selected("SELECT COUNT(1) FROM c", *items) == [{"$1": 4}]


def test_order_by_puts_kinds_in_their_order_and_strings_by_utf8():
    items = [{"v": value} for value in ("b", 2, None, "ü", True, "a", 1, False)]

    ordered = selected("SELECT VALUE c.v FROM c ORDER BY c.v", *items)

    assert ordered == [None, False, True, 1, 2, "a", "b", "ü"]


def test_limits_may_be_parameters():
    items = [{"n": n} for n in range(5)]

    assert selected("SELECT TOP @n VALUE c.n FROM c", *items, n=2) == [0, 1]
    assert selected("SELECT VALUE c.n FROM c OFFSET @o LIMIT @l", *items, o=1, l=2) == [1, 2]


@pytest.mark.parametrize("count", [-1, 1.5, "1", None, True])
def test_a_limit_that_is_no_count_is_refused(count):
    with pytest.raises(CosmosError, match="non-negative"):
        selected("SELECT TOP @n * FROM c", n=count)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT",
        "SELEC * FORM c",
        "SELECT * FROM c WHERE",
        "SELECT * FROM c WHERE c.n ==",
        "SELECT * FROM c WHERE c.n = 1 garbage more",
        "SELECT * FROM c WHERE c.n = #",
        "SELECT * FROM c WHERE c.s = 'open",
        "SELECT * FROM c WHERE c.s = '\\z'",
        "SELECT * FROM c WHERE c.n NOT 1",
        "SELECT * FROM c WHERE (c.n = 1",
        "SELECT * FROM c WHERE x.n = 1",
        "SELECT * FROM c WHERE nope(c.n)",
        "SELECT * FROM c WHERE udf.f(c.n)",
        "SELECT * FROM c WHERE LENGTH(c.s, 1) = 1",
        "SELECT * FROM c WHERE COUNT(c.n) = 1",
        "SELECT * FROM c WHERE EXISTS(SELECT VALUE 1 FROM c)",
        "SELECT * FROM c WHERE c.n > 1 ? true : false",
        "SELECT c.n, COUNT(1) FROM c",
        "SELECT COUNT(1) FROM c GROUP BY c.n",
        "SELECT DISTINCT c.n FROM c",
        "SELECT * FROM c JOIN t IN c.tags",
        "SELECT * FROM c ORDER BY c.n, c.s",
        "SELECT * FROM c OFFSET 1",
        "SELECT TOP 1.5 * FROM c",
        "SELECT * FROM c IN c.tags",
        "SELECT 1",
        "SELECT * FROM c WHERE c.n = [1 2]",
        "SELECT VALUE {'a': 1} FROM c",
        "DELETE FROM c",
    ],
)
def test_what_the_subset_does_not_know_is_refused(text):
    with pytest.raises(CosmosError) as caught:
        parse_statement(text)

    assert caught.value.status == 400


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 100 + "true" + ")" * 100,
        " AND ".join(["true"] * 1000),
        "NOT " * 1000 + "true",
        "c.s = '" + "x" * 70_000 + "'",
    ],
)
def test_a_query_of_unreasonable_size_is_refused(condition):
    with pytest.raises(CosmosError) as caught:
        parse_statement("FROM c WHERE " + condition)

    assert caught.value.status == 400


@pytest.mark.parametrize("given", [[], ["@a"], [{"value": 1}]])
def test_a_parameter_that_was_not_supplied_is_refused(given):
    with pytest.raises(CosmosError) as caught:
        bound_parameters(parse_statement("SELECT * FROM c WHERE c.n = @a"), given)

    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("c.id = 'a'", [("id=?", ("a",))]),
        ("'a' <= c.id AND c.n = 1 AND c.id < @p", [("id>=?", ("a",)), ("id<?", ("p",))]),
        ("'a' < c.id AND @p > c.id", [("id>?", ("a",)), ("id<?", ("p",))]),
        ("@p >= c.id AND 'a' = c.id", [("id<=?", ("p",)), ("id=?", ("a",))]),
        ("c.id IN ('a', @p)", [("id IN (?,?)", ("a", "p"))]),
        ("ARRAY_CONTAINS(@ids, c.id)", [("id IN (?,?)", ("x", "y"))]),
        # What follows says nothing certain about the id.
        ("c.id = 'a' OR c.n = 1", []),
        ("NOT (c.id = 'a')", []),
        ("c.id != 'a'", []),
        ("c.id = 7", []),
        ("c.id = c.other", []),
        ("c.o.id = 'a'", []),
        ("c.id IN ('a', c.other)", []),
        ("ARRAY_CONTAINS(c.ids, c.id)", []),
    ],
)
def test_only_what_is_certain_about_the_id_is_left_to_the_index(where, wanted):
    statement = parse_statement("FROM c WHERE " + where)
    parameters = {"@p": "p", "@ids": ["x", 7, "y"]}

    conditions = id_conditions(statement, parameters)

    assert [(condition.sql, condition.arguments) for condition in conditions] == wanted


def test_an_equal_text_is_parsed_once():
    text = "SELECT * FROM c WHERE c.id = @once"

    assert parse_statement(text) is parse_statement(text)
