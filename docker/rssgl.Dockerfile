# RSSGL (Wang et al., IEEE TGRS 2022), as a command: docker run IMAGE reproduce indianpines
# build.py fills the arguments for each variant (variants.py); the defaults are those of the variant `modern`.

ARG BASE=nvidia/cuda:13.0.1-base-ubuntu24.04

# ---- the base image with the interpreter
FROM ${BASE} AS interpreter
ARG PYTHON=3.12
# packages beside the interpreter: Ubuntu 18.04 and 20.04 keep distutils apart
ARG PYTHON_PACKAGES=""
# NVIDIA's package lists in the old images are signed with a key that was withdrawn; nothing is needed from them
# hadolint ignore=DL3008,SC2086
RUN command -v "python${PYTHON}" || { \
        rm -f /etc/apt/sources.list.d/cuda*.list /etc/apt/sources.list.d/nvidia*.list \
        && apt-get update \
        && apt-get install --yes --no-install-recommends "python${PYTHON}" ${PYTHON_PACKAGES} \
        && rm -rf /var/lib/apt/lists/*; }

# ---- packages and code, put together where pip's cache and the package lists may stay behind
FROM interpreter AS builder
ARG PYTHON=3.12
ARG STACK=modern
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
COPY docker/in-image/make_environment.sh /opt/build/docker/
COPY docker/locks /opt/build/docker/locks
COPY rssgl/requirements /opt/build/rssgl/requirements
COPY shared_data/shared_data /opt/hsi/shared_data/shared_data
COPY simplecv_vendor/simplecv /opt/hsi/simplecv_vendor/simplecv
COPY simplecv_vendor/simplecv_check.py /opt/hsi/simplecv_vendor/
COPY rssgl/rssgl /opt/hsi/rssgl/rssgl
COPY rssgl/configs /opt/hsi/rssgl/configs
RUN sh /opt/build/docker/make_environment.sh "${PYTHON}" rssgl "${STACK}"

# ---- the image
FROM interpreter
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rssgl" \
      org.opencontainers.image.description="RSSGL (Wang et al., IEEE TGRS 2022)" \
      org.opencontainers.image.documentation="https://doi.org/10.1109/TGRS.2022.3174305" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/venv/bin:$PATH \
    HSI_TITLE="RSSGL (Wang et al., IEEE TGRS 2022)" \
    HSI_PACKAGE=rssgl \
    HSI_PAPER=rssgl \
    HSI_DATA=/data \
    HSI_REVISION="${REVISION}" \
    LANG=C.UTF-8 \
    LC_ALL=C.UTF-8 \
    TZ=Etc/UTC \
    HOME=/tmp \
    USER=hsi \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /opt/hsi /opt/hsi
COPY docker/in-image/hsi /usr/local/bin/hsi
# whatever user id runs the image may write results, mounted or not
RUN mkdir --mode 0755 /data && mkdir --mode 1777 /results
WORKDIR /results
USER 10001:10001
ENTRYPOINT ["/usr/local/bin/hsi"]
