"""What a cell costs is derived from what a command consumes, and the page says what was derived."""

from pathlib import Path

from tools import cell_cost, costs

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- begin: python -m tools.cell_cost -->\n", "<!-- end -->"


def test_the_page_holds_what_the_tool_derives():
    page = (ROOT / "docs" / "cost-of-a-cell.md").read_text()

    derived = page.partition(BEGIN)[2].partition(END)[0]

    assert derived == "\n".join(cell_cost.document()) + "\n"


def test_a_command_consumes_what_the_other_page_says():
    [warm] = [line for line in costs.table().splitlines() if line.startswith("| transfer, warm")]

    rcu, wcu, ru = (float(cell) for cell in warm.strip("| ").split(" | ")[3:])

    assert (rcu, wcu, ru) == (cell_cost.RCU, cell_cost.WCU, cell_cost.RU)
