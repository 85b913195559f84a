# r1sdk with the embedded models, for a CPU: trains, evaluates and writes the report without a network.
#   docker build -t r1sdk .
#   docker run --rm -v "$PWD/runs:/home/trainer/runs" r1sdk train --env countdown --rewards accuracy,format
# For a GPU, build with --build-arg TORCH_INDEX=https://pypi.org/simple and run with --gpus all.
# Not built by the tests, which have no Docker.
FROM python:3.11-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=train,lora,server

RUN useradd --create-home trainer
WORKDIR /src
RUN pip install --no-cache-dir torch==2.13.0 --index-url "$TORCH_INDEX"
COPY . .
RUN pip install --no-cache-dir ".[$EXTRAS]"

USER trainer
WORKDIR /home/trainer
RUN mkdir runs
ENTRYPOINT ["r1"]
CMD ["--help"]
