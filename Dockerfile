# Striate with everything it needs: the image of Ray's nodes, of the driver and of the MLflow server.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}

# pip's usual index may bring gigabytes for a GPU. TORCH_INDEX, an address, is asked for torch instead where it is given.
ARG TORCH_REQUIREMENT=torch==2.13.0
ARG TORCH_INDEX=
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Triton compiles what launches kernels on a GPU.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

# The mount points belong to the user who runs: a new volume takes its owner from them.
RUN useradd --uid 1000 --create-home striate \
    && install --directory --owner=striate /searches /cache /artifacts \
    && python3 -m venv /opt/venv

WORKDIR /opt/striate
COPY requirements.lock ./
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$TORCH_REQUIREMENT" \
    && pip install --requirement requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY space space
COPY cells cells
COPY trainers trainers
COPY search search
COPY dashboards dashboards
RUN pip install --no-deps --no-build-isolation .
COPY docker/mlflow-auth.ini /etc/striate/mlflow-auth.ini

USER striate
WORKDIR /home/striate
CMD ["striate", "--help"]
