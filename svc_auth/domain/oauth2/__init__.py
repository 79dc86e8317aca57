"""What OAuth2 (RFC 6749) and OpenID Connect make of clients, requests and grants."""
