"""Changes that would let the two cells drift apart, each with the check that must say so."""
# ruff: noqa: E501 - a change reads best as the one line that it is in the file

from tests.terraform.tree import Fault

CONTRACT = "modules/cell_contract"
AWS = "modules/cell_aws"
AZURE = "modules/cell_azure"


def everywhere(file: str, old: str, new: str) -> list[Fault]:
    """Return one change to all three copies of a file of the contract."""
    return [Fault(file=f"{m}/{file}", old=old, new=new) for m in (CONTRACT, AWS, AZURE)]


DRIFTS: dict[str, tuple[str, list[Fault]]] = {
    "a default that differs": (
        "contract_files_are_identical",
        [
            Fault(
                file=f"{AZURE}/variables.contract.tf",
                old="memory_mb       = optional(number, 2048)",
                new="memory_mb       = optional(number, 512)",
            )
        ],
    ),
    "another backup window in one copy": (
        "contract_files_are_identical",
        [
            Fault(
                file=f"{AWS}/variables.contract.tf",
                old="backup_days = optional(number, 30)",
                new="backup_days = optional(number, 7)",
            )
        ],
    ),
    "a rule that one cell dropped": (
        "contract_files_are_identical",
        [
            Fault(
                file=f"{AZURE}/variables.contract.tf",
                old="contains([7, 30], var.retention.backup_days)",
                new="true",
            )
        ],
    ),
    "a setting that one cell gives otherwise": (
        "contract_files_are_identical",
        [
            Fault(
                file=f"{AZURE}/environment.contract.tf",
                old="tostring(var.store_timeouts_s.read)",
                new='"5"',
            )
        ],
    ),
    "an output more": (
        "a_cell_has_one_output",
        [
            Fault(
                file=f"{AWS}/outputs.tf",
                old='output "cell" {',
                new='output "table" {\n  value = 1\n}\n\noutput "cell" {',
            )
        ],
    ),
    "an output that goes around the contract": (
        "a_cell_has_one_output",
        [Fault(file=f"{AZURE}/outputs.tf", old="module.contract.cell", new='{ id = "beta" }')],
    ),
    "an input of one cell under a shared name": (
        "own_inputs_have_a_prefix_and_a_default",
        [
            Fault(
                file=f"{AWS}/variables.aws.tf",
                old='variable "aws_tracing"',
                new='variable "tracing"',
            )
        ],
    ),
    "an input that only one cell demands": (
        "own_inputs_have_a_prefix_and_a_default",
        [Fault(file=f"{AWS}/variables.aws.tf", old='  default     = ["a", "b"]\n', new="")],
    ),
    "an input that is not passed on": (
        "the_whole_contract_is_passed_on",
        [Fault(file=f"{AWS}/contract.tf", old="  retention          = var.retention\n", new="")],
    ),
    "an input that is passed on changed": (
        "the_whole_contract_is_passed_on",
        [Fault(file=f"{AZURE}/contract.tf", old="= var.routes", new='= ["/process"]')],
    ),
    "an input that a cell no longer reads": (
        "every_input_is_used",
        [Fault(file=f"{AWS}/main.budget.tf", old="tostring(var.budget_usd_monthly)", new='"200"')],
    ),
    "an input that takes anything": (
        "every_input_is_described_and_bounded",
        everywhere(
            "variables.contract.tf",
            'variable "log_level" {\n',
            'variable "colour" {\n  type        = string\n  description = "A colour."\n  nullable    = false\n}\n\nvariable "log_level" {\n',
        ),
    ),
    "another version of a provider": (
        "versions_are_the_same_everywhere",
        [Fault(file=f"{AWS}/terraform.tf", old=">= 5.100.0, < 7.0.0", new="~> 5.0")],
    ),
    "a state in the other cloud": (
        "a_module_has_no_provider_and_a_root_a_locked_state",
        [Fault(file="roots/beta-azure/terraform.tf", old='backend "azurerm"', new='backend "s3"')],
    ),
    "a state that two may write at once": (
        "a_module_has_no_provider_and_a_root_a_locked_state",
        [Fault(file="roots/alpha-aws/terraform.tf", old="    use_lockfile = true\n", new="")],
    ),
    "a rule skipped without a word": (
        "what_the_scanner_skips_has_a_reason",
        [
            Fault(
                file=f"{AWS}/main.state.tf",
                old='resource "aws_dynamodb_table" "state" {',
                new='resource "aws_dynamodb_table" "state" {\n  # checkov:skip=CKV_AWS_28',
            )
        ],
    ),
    "a setting that the contract forgot": (
        "settings_are_what_the_bootstraps_read",
        everywhere(
            "environment.contract.tf", "    CELL_LOG_LEVEL               = var.log_level\n", ""
        ),
    ),
    "a setting that no bootstrap reads": (
        "settings_are_what_the_bootstraps_read",
        everywhere(
            "environment.contract.tf",
            "    CELL_LOG_LEVEL               = var.log_level\n",
            '    CELL_LOG_LEVEL               = var.log_level\n    CELL_TURBO                   = "1"\n',
        ),
    ),
    "a setting under another name": (
        "functions_get_what_their_code_reads",
        [Fault(file=f"{AWS}/locals.tf", old='CELL_LAKE_URL = "s3', new='CELL_LAKE     = "s3')],
    ),
    "a setting of one cloud that its list does not know": (
        "settings_are_what_the_bootstraps_read",
        [Fault(file=f"{CONTRACT}/settings.tf", old='"CELL_TABLE", ', new="")],
    ),
    "the local world's mercy": (
        "nothing_of_the_local_world_is_given",
        [
            Fault(
                file=f"{AWS}/locals.tf",
                old="CELL_TRACING = tostring",
                new='CELL_LOCAL   = "true"\n      CELL_TRACING = tostring',
            )
        ],
    ),
    "a route missing": (
        "routes_are_what_the_worker_answers",
        everywhere(
            "variables.contract.tf",
            'default     = ["/healthz", "/openapi.json", "/process", "/readyz", "/v1/"]',
            'default     = ["/healthz", "/openapi.json", "/process", "/v1/"]',
        ),
    ),
    "a route that leads nowhere": (
        "routes_are_what_the_worker_answers",
        everywhere(
            "variables.contract.tf",
            'default     = ["/healthz", "/openapi.json", "/process", "/readyz", "/v1/"]',
            'default     = ["/admin", "/healthz", "/openapi.json", "/process", "/readyz", "/v1/"]',
        ),
    ),
    "another runtime than the zips'": (
        "limits_are_the_codes",
        everywhere(
            "variables.contract.tf",
            'version  = optional(string, "3.13")',
            'version  = optional(string, "3.12")',
        ),
    ),
    "another issuer of grants": (
        "limits_are_the_codes",
        everywhere(
            "variables.contract.tf",
            'optional(list(string), ["control", "edge"])',
            'optional(list(string), ["edge"])',
        ),
    ),
    "another processor than the zips'": (
        "limits_are_the_codes",
        [
            Fault(
                file=f"{AWS}/locals.tf", old='architecture = "x86_64"', new='architecture = "arm64"'
            )
        ],
    ),
    "a handler that the zip has not": (
        "handlers_are_in_the_zips",
        [Fault(file=f"{AWS}/locals.tf", old='"worker.handler"', new='"app.handler"')],
    ),
    "a right that the store never uses": (
        "rights_are_what_the_store_calls",
        [
            Fault(
                file=f"{AWS}/main.access.tf",
                old='"dynamodb:Query", ',
                new='"dynamodb:Query", "dynamodb:Scan", ',
            )
        ],
    ),
    "a right that the store lacks": (
        "rights_are_what_the_store_calls",
        [Fault(file=f"{AWS}/main.access.tf", old='"dynamodb:BatchGetItem", ', new="")],
    ),
}
