# The base of APDCLNN's variant `era`: CUDA 8.0 and cuDNN 6, which TensorFlow 1.4.0 was built for, beside Python 3.6.
# NVIDIA's image is Ubuntu 16.04, which has no Python 3.6; its libraries run on the newer Debian of the Python image.
#   docker build --file docker/cuda8.Dockerfile --tag hsi/cuda8-python3.6 .

ARG CUDA=nvidia/cuda:8.0-cudnn6-runtime-ubuntu16.04
ARG BASE=python:3.6-slim-bullseye

# hadolint ignore=DL3006
FROM ${CUDA} AS cuda

FROM ${BASE}
COPY --from=cuda /usr/local/cuda-8.0/lib64 /usr/local/cuda-8.0/lib64
COPY --from=cuda /usr/lib/x86_64-linux-gnu/libcudnn.so.6* /usr/local/cuda-8.0/lib64/
# what NVIDIA's own images tell the container runtime, and where TensorFlow looks for libraries
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    LD_LIBRARY_PATH=/usr/local/cuda-8.0/lib64
