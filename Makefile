# The short commands. CMake does the work (CMakePresets.json); this file installs what is missing and calls it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

PYTHON := /usr/bin/python3
JOBS := $(shell nproc)
PACKAGES := tools/install_packages.sh
CONFIGURE := cmake -DCMAKE_CXX_COMPILER_LAUNCHER=ccache --log-level=WARNING

.PHONY: help build test test-asan test-tsan test-neon demo rivals tidy format clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build:  ## Build the program: build/release/smallmind
	@$(PACKAGES) tools/packages/build.txt
	$(CONFIGURE) --preset release -DSMALLMIND_BUILD_TESTS=OFF
	cmake --build build/release -j $(JOBS) --target smallmind

test:  ## Build everything with warnings as errors, run all tests and lints
	@$(PACKAGES) tools/packages/build.txt tools/packages/test.txt
	$(CONFIGURE) --preset release -DSMALLMIND_BUILD_TESTS=ON -DSMALLMIND_BUILD_BENCH=ON
	cmake --build build/release -j $(JOBS)
	@$(PYTHON) tools/run_tests.py build/release

test-asan:  ## Run all tests under AddressSanitizer and UBSan
	@$(PACKAGES) tools/packages/build.txt tools/packages/test.txt
	$(CONFIGURE) --preset asan
	cmake --build build/asan -j $(JOBS)
	@$(PYTHON) tools/run_tests.py build/asan -LE house

test-tsan:  ## Run the tests of the thread pool and of the operations under ThreadSanitizer
	@$(PACKAGES) tools/packages/build.txt tools/packages/test.txt
	$(CONFIGURE) --preset tsan
	cmake --build build/tsan -j $(JOBS) --target test_base test_nn
	@$(PYTHON) tools/run_tests.py build/tsan -R '^(base|nn)$$'

test-neon:  ## Compile the kernels and their tests for AArch64 and run them under qemu-user
	@$(PACKAGES) tools/packages/build.txt tools/packages/neon.txt
	$(CONFIGURE) --preset neon
	cmake --build build/neon -j $(JOBS) --target test_kernels
	@$(PYTHON) tools/run_tests.py build/neon

demo: build  ## Train a small model on data/stories.txt for a minute and let it write
	@tools/demo.sh build/release/smallmind

rivals:  ## Install what the benchmarks compare with, and the browser of a test
	@$(PACKAGES) tools/packages/rivals.txt
	cd bench/baselines && npm install
	cd tests/browser && npm install

tidy:  ## Run clang-tidy over src/
	@$(PACKAGES) tools/packages/build.txt tools/packages/test.txt
	$(CONFIGURE) --preset release -DSMALLMIND_BUILD_TESTS=ON
	@$(PYTHON) tools/run_clang_tidy.py build/release

format:  ## Format all C++ files in place
	@$(PYTHON) tools/check_format.py --fix

clean:  ## Remove the build folders
	rm -rf build
