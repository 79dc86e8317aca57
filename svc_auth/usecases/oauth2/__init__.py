"""What OAuth2 and OpenID Connect do; refusals are Authlib's OAuth2Error, named by the RFCs."""
