# Build: dependencies and static files; nothing of it but the results reaches the image that runs.
FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
ENV RAISIN_HOME=/tmp/build RAISIN_STATIC_ROOT=/app/static
# Some platforms start a container with the one word `serve`.
RUN printf '#!/bin/sh\nexec python /app/manage.py serve "$@"\n' > /venv/bin/serve && chmod +x /venv/bin/serve
RUN /venv/bin/python manage.py prepare && rm -rf /tmp/build && /venv/bin/python -m compileall -q .

# Run: no root, all state under /data; the root file system may be read-only (--read-only --tmpfs /tmp).
FROM python:3.12-slim
RUN useradd --uid 10001 --no-create-home raisin && install -d -o raisin /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER raisin
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RAISIN_HOME=/data \
    RAISIN_HOST=0.0.0.0 \
    RAISIN_STATIC_ROOT=/app/static
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "from urllib.request import urlopen; from os import environ as e; \
p = e.get('RAISIN_PORT') or e.get('SAGEMAKER_BIND_TO_PORT') or e.get('AIP_HTTP_PORT') or 8000; \
urlopen(f'http://127.0.0.1:{p}/readyz', timeout=2)"]
CMD ["serve"]
