# Build: dependencies and static files; nothing of it but the results reaches the image that runs.
FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
ENV RAISIN_HOME=/tmp/build RAISIN_STATIC_ROOT=/app/static
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
    RAISIN_STATIC_ROOT=/app/static
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--port", "8000"]
