"""Samples for the proxy in front of the server: what it must pass on, keep open, and not hold back."""

from phiomia.upgrade.units import Layout


def render_nginx(layout: Layout) -> str:
    """A sample for nginx."""
    web, streaming = layout.bind, layout.streaming_bind or layout.bind
    return f"""# Copy this to /etc/nginx/sites-available/phiomia, correct the names, link it into sites-enabled.
upstream phiomia_web {{
    server {web} fail_timeout=0;
    # Below the 75 seconds after which the server closes what nobody uses: nginx must be the one to close.
    keepalive 64;
    keepalive_timeout 60s;
}}

upstream phiomia_streaming {{
    server {streaming} fail_timeout=0;
}}

server {{
    listen 80;
    listen [::]:80;
    server_name {layout.domain};
    location /.well-known/acme-challenge/ {{ root /var/www/html; }}
    location / {{ return 301 https://$host$request_uri; }}
}}

server {{
    listen 443 ssl http2;
    listen [::]:443 ssl http2;
    server_name {layout.domain};
    ssl_certificate /etc/letsencrypt/live/{layout.domain}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{layout.domain}/privkey.pem;

    client_max_body_size 120m;
    keepalive_timeout 70;
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Request-Id $request_id;

    # With the usual header, "close", there would be no connections to keep.
    location / {{
        proxy_set_header Connection "";
        proxy_pass http://phiomia_web;
    }}

    # Pictures and films: never held back, never kept in a temporary file, and long enough for slow lines.
    location /media/ {{
        proxy_set_header Connection "";
        proxy_max_temp_file_size 0;
        proxy_read_timeout 300s;
        proxy_pass http://phiomia_web;
    }}
    location /api/v2/media {{
        proxy_set_header Connection "";
        proxy_request_buffering off;
        proxy_read_timeout 300s;
        proxy_pass http://phiomia_web;
    }}

    location /api/v1/streaming {{
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_buffering off;
        proxy_read_timeout 1h;
        proxy_send_timeout 1h;
        proxy_pass http://phiomia_streaming;
    }}
}}
"""


def render_caddy(layout: Layout) -> str:
    """A sample for Caddy, which gets certificates and sets the X-Forwarded headers by itself."""
    streaming = (
        f"    reverse_proxy /api/v1/streaming* {layout.streaming_bind} {{\n        flush_interval -1\n    }}\n"
        if layout.streaming_bind
        else ""
    )
    return f"""# Copy this into /etc/caddy/Caddyfile.
{layout.domain} {{
    request_body {{
        max_size 120MB
    }}
{streaming}    reverse_proxy {layout.bind} {{
        # Streams are sent on at once.
        flush_interval -1
        transport http {{
            keepalive 60s
        }}
    }}
}}
"""
