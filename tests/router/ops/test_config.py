"""The configuration: what is taken, and for everything else a sentence that says what to do."""

import json

import pytest

from cell_router.config import CONFIG_BYTES_MAX, Config, load
from cell_router.config_findings import ConfigError
from cell_router.config_reload import findings_of_reload
from tests.router.ops.settings import TEXT

GOOD = TEXT.format(local="false")
SECRET = "hunter2-sword-fish"


def findings(text, folder):
    with pytest.raises(ConfigError) as refused:
        Config.parse(text, folder)
    return [str(finding) for finding in refused.value.findings]


def test_what_is_left_out_has_the_defaults_of_the_data_path(tmp_path):
    from cell_router.limits import Limits

    config = Config.parse(GOOD, tmp_path)

    assert config.settings.limits.to_limits() == Limits()


def test_units_are_converted_once(tmp_path):
    config = Config.parse(GOOD + "[limits]\ntotal_ms = 1500\ntenant_rate_per_s = 2.5\n", tmp_path)

    limits = config.settings.limits.to_limits()

    assert (limits.total_s, limits.tenant_rate) == (1.5, 2.5)


def test_an_issuer_reaches_the_authenticator_whole(tmp_path):
    text = GOOD.replace('audience = "cells"', 'audience = "cells"\ntenants = ["t1"]\nleeway_s = 5')

    issuer = Config.parse(text, tmp_path).settings.issuers[0].to_issuer()

    assert issuer.audiences == {"cells"}
    assert (issuer.tenants, issuer.leeway_s) == ({"t1"}, 5)


def test_relative_paths_begin_at_the_folder_of_the_file(tmp_path):
    path = tmp_path / "router.toml"
    path.write_text(GOOD)

    config = load(path)

    assert config.path(config.settings.grants.key) == tmp_path / "grant-key.json"
    assert config.text == GOOD


REFUSED = [
    ('cache = "cache"', "", "registry.cache is missing: add it."),
    ("port = 0\nworkers", "port = 70000\nworkers", "listen.port must be at most 65535."),
    ("port = 0\nworkers", "port = -1\nworkers", "listen.port must be at least 0."),
    ("port = 0\nworkers", 'port = "x"\nworkers', "listen.port must be a whole number, without"),
    ("port = 0\nworkers", "port = 1.5\nworkers", "listen.port must be a whole number"),
    ("workers = 2", "workers = 999", "listen.workers must be at most 256."),
    ("workers = 2", "worker = 2", "listen.worker is not a setting: remove it (is `workers` meant"),
    ("[grants]", "[grant]", "grants is missing: add it."),
    ("[grants]", "[grant]", "grant is not a setting: remove it (is `grants` meant?)."),
    ('key = "grant-key.json"', "key = 7", "grants.key must be a text in quotes."),
    ('".on.aws", ".azurewebsites.net"', '"*.aws"', "cells.host_suffixes[0] has a form"),
    ('".on.aws", ".azurewebsites.net"', '"A.aws"', "cells.host_suffixes[0] has a form"),
    ('[".on.aws", ".azurewebsites.net"]', "[]", "cells.host_suffixes is empty: list the hosts"),
    ('[".on.aws", ".azurewebsites.net"]', '".on.aws"', "cells.host_suffixes must be a list"),
    ('["EdDSA"]', '["none"]', "issuers[0].algorithms[0] has a form that is not allowed"),
    ('["EdDSA"]', '["HS256"]', "issuers[0].algorithms[0] has a form that is not allowed"),
    ('["EdDSA"]', "[]", "issuers[0].algorithms must have at least this many entries: 1."),
    ('jwks_file = "jwks.json"', "", "issuers[0] needs exactly one of jwks_url and jwks_file."),
    (
        'jwks_file = "jwks.json"',
        'jwks_file = "jwks.json"\njwks_url = "https://idp.example/k"',
        "issuers[0] needs exactly one of",
    ),
    (
        'jwks_file = "jwks.json"',
        'jwks_url = "http://idp.example/keys"',
        "issuers[0].jwks_url is plain http: use https://",
    ),
    (
        'jwks_file = "jwks.json"',
        'jwks_url = "ftp://idp.example/keys"',
        "issuers[0].jwks_url must be an https:// URL",
    ),
    (
        'jwks_file = "jwks.json"',
        'jwks_url = "https://u:p@idp.example/keys"',
        "issuers[0].jwks_url must not hold a user or a password",
    ),
    ("file:///nowhere", "ftp://nowhere", "registry.source must begin with one of file://"),
    ("file:///nowhere", "http://nowhere", "registry.source is plain: use https://"),
    ("file:///nowhere", "redis://nowhere", "registry.source is plain: use rediss://"),
    (
        "file:///nowhere",
        f"rediss://:{SECRET}@nowhere",
        "registry.source holds a secret: move it to registry.credential_file.",
    ),
    (
        "[admin]",
        "[tracing]\nendpoint='http://far.example/v1/traces'\n[admin]",
        "tracing.endpoint is",
    ),
    ("[admin]", "[tracing]\nsample_ratio=1.1\n[admin]", "tracing.sample_ratio must be at most 1"),
    ("[admin]", "[tracing]\nsample_ratio=nan\n[admin]", "tracing.sample_ratio must be a finite"),
    ("[admin]", "[log]\nsuccess_sample=-0.1\n[admin]", "log.success_sample must be at least 0"),
    ("[admin]", "[limits]\ntotal_ms=10\n[admin]", "limits.total_ms must be at least 50."),
    ("[admin]", "[limits]\ntotal_ms=600000\n[admin]", "limits.total_ms must be at most 60000."),
    ("[admin]", "[limits]\ncoalesce=1\n[admin]", "limits.coalesce must be true or false"),
    ("[admin]", "[limits]\ntenant_rate=1\n[admin]", "(is `tenant_rate_per_s` meant?)."),
    ("[admin]", "limits = 3\n[admin]", "listen.tls.limits is not a setting: remove it."),
    ("[admin]", "[[admin", "the file is not TOML"),
    (
        '[listen.tls]\ncertificate = "edge.pem"\nkey = "edge.key"',
        "",
        "listen.tls is missing: add it, or say listen.behind_tls = true.",
    ),
]


@pytest.mark.parametrize(("before", "after", "sentence"), REFUSED)
def test_a_setting_that_is_wrong_is_named_with_what_to_do(tmp_path, before, after, sentence):
    assert before in GOOD

    found = findings(GOOD.replace(before, after), tmp_path)

    assert any(sentence in text for text in found), found


def test_missing_auth_is_refused_even_in_the_local_world(tmp_path):
    start, end = GOOD.index("[[issuers]]"), GOOD.index("[api_keys]")
    without = (GOOD[:start] + GOOD[end:]).replace('[api_keys]\nfile = "api-keys.json"', "")

    for local in ("false", "true"):
        found = findings(without.replace("local = false", f"local = {local}"), tmp_path)

        assert found == ["issuers and api_keys are both missing: name at least one of them."]


def test_two_tables_for_one_issuer_are_refused(tmp_path):
    start, end = GOOD.index("[[issuers]]"), GOOD.index("[api_keys]")

    found = findings(GOOD[:end] + GOOD[start:end] + GOOD[end:], tmp_path)

    assert found == ["issuers names one issuer twice: merge the two tables."]


def test_the_local_world_allows_what_is_plain(tmp_path):
    text = (
        TEXT.format(local="true")
        .replace("file:///nowhere", "http://127.0.0.1:9/")
        .replace('jwks_file = "jwks.json"', 'jwks_url = "http://127.0.0.1:9/keys"')
        .replace('[listen.tls]\ncertificate = "edge.pem"\nkey = "edge.key"', "")
        .replace('[".on.aws", ".azurewebsites.net"]', "[]")
    )

    assert Config.parse(text, tmp_path).settings.local


def test_plain_http_to_a_collector_beside_the_router_is_allowed(tmp_path):
    text = GOOD + "[tracing]\nendpoint = 'http://127.0.0.1:4318/v1/traces'\n"

    assert Config.parse(text, tmp_path).settings.tracing.endpoint


def test_an_ingress_in_front_may_end_tls_if_that_is_said(tmp_path):
    text = GOOD.replace('[listen.tls]\ncertificate = "edge.pem"\nkey = "edge.key"', "").replace(
        "workers = 2", "workers = 2\nbehind_tls = true"
    )

    assert Config.parse(text, tmp_path).settings.listen.tls is None


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace('"grant-key.json"', f'"{SECRET}'),
        GOOD.replace("port = 0", f'port = "{SECRET}"'),
        GOOD.replace("file:///nowhere", f"rediss://u:{SECRET}@nowhere"),
        GOOD.replace("file:///nowhere", f"{SECRET}://nowhere"),
        GOOD.replace('["EdDSA"]', f'["{SECRET}"]'),
        GOOD.replace('jwks_file = "jwks.json"', f'jwks_url = "https://u:{SECRET}@idp.example/k"'),
        GOOD.replace('issuer = "https://idp.example"', f'issuer = ["{SECRET}"]'),
        GOOD + f"[log]\nsuccess_sample = '{SECRET}'\n",
    ],
)
def test_no_sentence_repeats_a_value(tmp_path, text):
    with pytest.raises(ConfigError) as refused:
        Config.parse(text, tmp_path)

    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value.findings)
    assert refused.value.__cause__ is None


def test_a_file_that_is_too_large_or_not_there_or_no_text_is_refused(tmp_path):
    path = tmp_path / "router.toml"

    for content in (None, b"\xff\xfe", GOOD.encode() + b"#" * CONFIG_BYTES_MAX):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError) as refused:
            load(path)

        assert str(refused.value).startswith("the file ")


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("local = false", "local = true", "local"),
        ('"127.0.0.1"', '"127.0.0.2"', "listen.address"),
        ("workers = 2", "workers = 3", "listen.workers"),
        ('cache = "cache"', 'cache = "other"', "registry.cache"),
        ("[admin]\nport = 0", "[admin]\nport = 1", "admin.port"),
    ],
)
def test_what_is_made_at_start_cannot_change_at_a_reload(tmp_path, before, after, name):
    old = Config.parse(GOOD, tmp_path).settings
    new = Config.parse(GOOD.replace(before, after), tmp_path).settings

    assert [finding.setting for finding in findings_of_reload(old, new)] == [name]
    assert findings_of_reload(old, old) == []


def test_findings_are_json_with_names_only(tmp_path):
    found = findings(GOOD.replace("port = 0", "port = 99999"), tmp_path)

    assert json.loads(json.dumps(found)) == [
        "listen.port must be at most 65535.",
        "admin.port must be at most 65535.",
    ]
