# r1sdk with the embedded models, for a CPU: trains, evaluates and writes the report without a network.
#   docker build -t r1sdk .
#   docker run --rm -v "$PWD/runs:/home/trainer/runs" r1sdk train --env countdown --rewards accuracy,format
# For a GPU, build with --build-arg TORCH_INDEX=https://pypi.org/simple and run with --gpus all.
# The versions are those of the tested set, constraints.txt. CI reads this file with hadolint and does not build it.
FROM python:3.11-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=train,lora,server

RUN useradd --create-home --uid 1000 trainer
WORKDIR /src
RUN pip install --no-cache-dir torch==2.13.0 --index-url "$TORCH_INDEX"
COPY . .
# hadolint ignore=DL3013
RUN pip install --no-cache-dir --constraint constraints.txt ".[$EXTRAS]"

USER 1000
WORKDIR /home/trainer
RUN mkdir runs
ENTRYPOINT ["r1"]
CMD ["--help"]
