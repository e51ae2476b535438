"""The edge router beside its peers: same upstream, same load, alternating rounds of one run."""
