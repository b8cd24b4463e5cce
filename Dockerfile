# docker build -t camforge .                            for processors
# docker build -t camforge --build-arg TORCH=cu128 .    for NVIDIA GPUs; docker run --gpus all
# docker run -v "$PWD/work:/work" camforge              runs the quickstart; its report lies in work/quickstart
FROM python:3.12-slim
ARG TORCH=cpu
ENV PIP_NO_CACHE_DIR=1 OMP_WAIT_POLICY=PASSIVE
RUN pip install torch torchvision --index-url https://download.pytorch.org/whl/${TORCH}
COPY pyproject.toml README.md LICENSE /camforge/
COPY camforge /camforge/camforge
COPY plugins /camforge/plugins
COPY configs /camforge/configs
RUN pip install /camforge && useradd --create-home camforge && mkdir /work && chown camforge /work
USER camforge
WORKDIR /
ENTRYPOINT ["camforge"]
CMD ["bench", "quickstart", "--work-dir", "/work/quickstart"]
