# The command line, and a Vulkan driver in software, so that files are proven on the GPU's runtimes where no GPU is:
#
#     docker build -t keraslayers .
#     docker run --rm keraslayers demo
#     docker run --rm -v "$PWD:/files" keraslayers check FILE.tflite
#
# What writes into your folder does so as you with `--user "$(id -u):$(id -g)"` behind `run`.
FROM debian:trixie-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*

# Debian's Python takes nothing from pip, an environment does.
ENV PATH=/opt/keraslayers/bin:$PATH
COPY . /usr/src/keraslayers
RUN python3 -m venv /opt/keraslayers \
    && pip install --no-cache-dir '/usr/src/keraslayers[demo]'

# Whoever runs it may write into both: what is fetched later is kept in one, files go into the other.
ENV XDG_CACHE_HOME=/cache
WORKDIR /files
RUN keraslayers setup gpu \
    && chmod -R a+rwX /cache /files
USER nobody

ENTRYPOINT ["keraslayers"]
CMD ["--help"]
