"""Where the edge may connect to: no address of its own network, whatever a registry says."""

import asyncio

import pytest

from cell_router.server.addresses import AddressPolicy, AddressRefused, CheckedAddresses

POLICY = AddressPolicy(local=False, host_suffixes=(".on.aws", "exact.azurewebsites.net"))
LOCAL = AddressPolicy(local=True)

ALLOWED = [
    "8.8.8.8", "1.1.1.1", "52.95.110.1", "20.42.65.92", "11.0.0.1", "172.15.255.255", "172.32.0.1",
    "192.167.255.255", "192.169.0.1", "100.63.255.255", "100.128.0.1", "169.253.255.255",
    "223.255.255.255", "168.63.129.15", "2600:1f18::1", "2a01:111:f400::1", "2606:4700::1111",
    "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:0808:0808::1",
]  # fmt: skip

REFUSED = {
    "loopback": [
        "127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1",
        "64:ff9b::127.0.0.1", "2002:7f00:1::", "::127.0.0.1",
    ],
    "private": [
        "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1",
        "100.127.255.255", "fc00::1", "fd12:3456::1", "::ffff:10.0.0.1", "::ffff:192.168.1.1",
        "64:ff9b::10.0.0.1", "2002:0a00:0001::1", "::10.0.0.1",
    ],
    "metadata": [
        "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "fd20:ce::254",
    ],
    "link_local": ["169.254.0.1", "169.254.170.2", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1", "::ffff:224.0.0.1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"],  # noqa: S104 - nothing is bound
    "broadcast": ["255.255.255.255"],
    "reserved": [
        "192.0.2.1", "198.51.100.1", "203.0.113.9", "198.18.0.1", "198.19.255.255", "240.0.0.1",
        "192.88.99.1", "192.0.0.1", "2001::1", "2001:db8::1", "3fff::1", "fec0::1", "4000::1",
        "64:ff9b:1::1", "100::1", "5f00::1",
    ],
    "not_an_address": [
        "", "localhost", "127.1", "0x7f000001", "2130706433", "10.0.0.01", "1.2.3.4/8",
    ],
}  # fmt: skip


@pytest.mark.parametrize("address", ALLOWED)
def test_a_public_address_may_be_connected_to(address):
    assert POLICY.refusal(address) is None


@pytest.mark.parametrize(
    ("reason", "address"), [(reason, text) for reason, texts in REFUSED.items() for text in texts]
)
def test_an_address_inside_is_refused_in_every_form(reason, address):
    assert POLICY.refusal(address) == reason


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd12::1"])
def test_the_local_world_may_use_its_own_addresses(address):
    assert LOCAL.refusal(address) is None


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fd00:ec2::254", "fe80::1", "224.0.0.1", "0.0.0.0", "::"],  # noqa: S104 - nothing is bound
)
def test_metadata_and_groups_are_refused_even_in_the_local_world(address):
    assert LOCAL.refusal(address) is not None


@pytest.mark.parametrize(
    ("url", "host", "port", "prefix"),
    [
        ("https://a.on.aws", "a.on.aws", 443, ""),
        ("https://a.b.on.aws/", "a.b.on.aws", 443, ""),
        ("https://A.ON.AWS:8443/api/v1/", "a.on.aws", 8443, "/api/v1"),
        ("https://exact.azurewebsites.net./api", "exact.azurewebsites.net", 443, "/api"),
    ],
)
def test_a_listed_host_is_taken(url, host, port, prefix):
    origin = POLICY.origin(url)

    assert (origin.host, origin.port, origin.prefix, origin.secure) == (host, port, prefix, True)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://a.on.aws", "url_plain"),
        ("ftp://a.on.aws", "url_invalid"),
        ("//a.on.aws", "url_invalid"),
        ("https://", "host_invalid"),
        ("https://on.aws", "host_not_listed"),
        ("https://evilon.aws", "host_not_listed"),
        ("https://on.aws.evil.example", "host_not_listed"),
        ("https://a.on.aws.evil.example", "host_not_listed"),
        ("https://x.exact.azurewebsites.net", "host_not_listed"),
        ("https://inexact.azurewebsites.net", "host_not_listed"),
        ("https://user@a.on.aws", "url_invalid"),
        ("https://evil.example\\@a.on.aws", "url_invalid"),
        ("https://evil.example#a.on.aws", "url_invalid"),
        ("https://evil.example?a.on.aws", "url_invalid"),
        ("https://a.on.aws?x=1", "url_invalid"),
        ("https://a.on.aws/%2e%2e/", "url_invalid"),
        ("https://a.on.aws/../x", "url_invalid"),
        ("https://a.on.aws//x", "url_invalid"),
        ("https://a.on.aws:0", "url_invalid"),
        ("https://a.on.aws:99999", "url_invalid"),
        ("https://a.on.aws:x", "url_invalid"),
        ("https://a.on.aws\n.evil.example", "url_invalid"),
        ("https://a .on.aws", "url_invalid"),
        ("https://ä.on.aws", "url_invalid"),
        ("https://-a.on.aws", "host_invalid"),
        ("https://a..on.aws", "host_invalid"),
        ("https://a_b.on.aws", "host_invalid"),
        ("https://127.0.0.1", "host_invalid"),
        ("https://2130706433", "host_invalid"),
        ("https://0x7f.1", "host_invalid"),
        ("https://[::1]", "host_invalid"),
        ("https://[::ffff:10.0.0.1]/", "host_invalid"),
        ("https://" + "a." * 130 + "on.aws", "host_invalid"),
    ],
)
def test_a_url_that_could_lead_elsewhere_is_refused(url, reason):
    with pytest.raises(AddressRefused) as refused:
        POLICY.origin(url)

    assert refused.value.reason == reason


def test_the_local_world_takes_plain_http_to_an_address():
    origin = LOCAL.origin("http://127.0.0.1:8080/api")

    assert (origin.host, origin.port, origin.secure) == ("127.0.0.1", 8080, False)


def test_a_list_of_hosts_counts_in_the_local_world_too():
    with pytest.raises(AddressRefused):
        AddressPolicy(local=True, host_suffixes=(".on.aws",)).origin("http://127.0.0.1:8080")


class Names:
    """A resolver that answers what it was told."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def __call__(self, host, port):
        self.asked.append((host, port))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def checked(*answers):
    names = Names(*answers)
    origin = POLICY.origin("https://a.on.aws")
    return CheckedAddresses(origin, POLICY, names, interval_s=30.0), names


def test_a_name_is_resolved_once_an_interval():
    addresses, names = checked(["8.8.8.8"], ["8.8.4.4"])

    first = asyncio.run(addresses.refresh(100.0))

    assert first == addresses.held(129.9) == ("8.8.8.8",)
    assert addresses.held(130.0) is None
    assert asyncio.run(addresses.refresh(130.0)) == ("8.8.4.4",)
    assert names.asked == [("a.on.aws", 443)] * 2


def test_addresses_that_are_not_allowed_are_left_out():
    addresses, _ = checked(["10.0.0.1", "8.8.8.8", "8.8.8.8", "fe80::1"])

    assert asyncio.run(addresses.refresh(0.0)) == ("8.8.8.8",)


def test_a_name_that_comes_to_lead_inside_is_refused_at_once():
    addresses, _ = checked(["8.8.8.8"], ["169.254.169.254"], OSError())
    asyncio.run(addresses.refresh(0.0))

    with pytest.raises(AddressRefused, match="metadata"):
        asyncio.run(addresses.refresh(30.0))

    # Nor does what was good before come back, should the resolver fail next.
    assert addresses.held(31.0) is None
    with pytest.raises(AddressRefused, match="unresolved"):
        asyncio.run(addresses.refresh(31.0))


def test_the_last_good_addresses_serve_while_names_cannot_be_resolved():
    addresses, _ = checked(["8.8.8.8"], OSError("down"))
    asyncio.run(addresses.refresh(0.0))

    assert asyncio.run(addresses.refresh(30.0)) == ("8.8.8.8",)


@pytest.mark.parametrize(("answer", "reason"), [([], "no_address"), (OSError(), "unresolved")])
def test_a_name_without_an_address_is_refused(answer, reason):
    addresses, _ = checked(answer)

    with pytest.raises(AddressRefused, match=reason):
        asyncio.run(addresses.refresh(0.0))


def test_no_more_addresses_are_kept_than_can_be_tried():
    addresses, _ = checked([f"8.8.8.{n}" for n in range(200)])

    assert len(asyncio.run(addresses.refresh(0.0))) == 16
