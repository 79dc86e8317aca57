"""OAuth2 and OpenID Connect over HTTP: forms and redirects, outside the transcoder."""
