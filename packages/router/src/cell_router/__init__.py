"""The edge router: one sans-I/O decision, a server and a Cloudflare Worker around it."""
