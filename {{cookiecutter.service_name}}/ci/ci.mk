# What the pipeline runs: docs/ci.md says when.
SUMMARY       ?= /dev/null
ARCHITECTURES ?= amd64 arm64
RELEASE        = bin/release

CYCLONEDX = go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
COSIGN    = $(shell command -v cosign || echo go run github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3)
CRUFT     = bin/cruft/bin/cruft

.PHONY: coverage image-check
coverage: ## run the tests under the race detector, and add their coverage to the file SUMMARY
	go test -race -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | awk 'END { print "Coverage: " $$NF }' | tee -a $(SUMMARY)

# A hosted runner keeps Go's cache, but not that of the image's build. So make builds the binary, with the flags of the
# Dockerfile, and ci/check-image puts it into the image.
image-check: ## compile here, put the binary into the image, run it and stop it
	GOOS=linux GOFLAGS="$$(sed -n 's/.*-tags[ =]\([^ ]*\).*/-tags=\1/p' Dockerfile)" $(MAKE) build
	ci/check-image $(IMAGE):$(VERSION) $(VERSION) $(REVISION)
{%- if cookiecutter.deploy != "none" %}

KUSTOMIZE = go run sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
VALIDATE  = bin/kubernetes-validate/bin/kubernetes-validate

.PHONY: lint-manifests release-manifests
lint-manifests: $(VALIDATE) ## check the manifests of every overlay against Kubernetes' own schemas
	for overlay in deploy/overlays/*/; do \
		file=bin/$$(basename $$overlay).yaml; $(KUSTOMIZE) build $$overlay >$$file && $(VALIDATE) --strict --quiet $$file || exit; done

$(VALIDATE):
	python3 -m venv bin/kubernetes-validate
	bin/kubernetes-validate/bin/pip install --quiet kubernetes-validate==1.37.0
{%- endif %}

.PHONY: release release-image release-sbom release-signature release-notes
release: ## push IMAGE:VERSION and sign it, and write the files of the release to bin/release
	$(MAKE) --jobs=1 release-image release-sbom release-signature{% if cookiecutter.deploy != "none" %} release-manifests{% endif %} release-notes

# Names of images have no capital letters, but names of repositories may. The tag v1.2.3 is the version 1.2.3. Recipes take both
# from the environment, so that a shell never runs a part of them.
release-%: override export IMAGE := $(shell echo $(IMAGE) | tr A-Z a-z)
release-%: override export VERSION := $(VERSION:v%=%)
publish: override export VERSION := $(VERSION:v%=%)

# Pushes the image for each of ARCHITECTURES, and their index.
release-image:
	ci/release-image "$$IMAGE" "$$VERSION" $(REVISION) $(RELEASE) $(ARCHITECTURES)

# Writes what each binary is made of, in the form of CycloneDX.
release-sbom:
	for arch in $(ARCHITECTURES); do \
		$(CYCLONEDX) bin -json -version "$$VERSION" -output $(RELEASE)/sbom-$$arch.cdx.json $(RELEASE)/service-$$arch || exit; done

# Signs the image, and attests its provenance and SBOMs: with COSIGN_FLAGS, or without a key by the pipeline's identity.
# https://docs.sigstore.dev/cosign/signing/overview
release-signature:
	ci/provenance "$$IMAGE" "$$VERSION" $(REVISION) >$(RELEASE)/provenance.json
	$(COSIGN) sign --yes --recursive $(COSIGN_FLAGS) "$$IMAGE@$$(cat $(RELEASE)/digest)"
	$(COSIGN) attest --yes $(COSIGN_FLAGS) --type slsaprovenance1 --predicate $(RELEASE)/provenance.json \
		"$$IMAGE@$$(cat $(RELEASE)/digest)"
	for arch in $(ARCHITECTURES); do \
		$(COSIGN) attest --yes $(COSIGN_FLAGS) --type cyclonedx --predicate $(RELEASE)/sbom-$$arch.cdx.json \
			"$$IMAGE@$$(cat $(RELEASE)/digest-$$arch)" || exit; done
{%- if cookiecutter.deploy != "none" %}

# Writes the manifests of each overlay, with the digest of the image.
release-manifests:
	rm -rf bin/deploy && cp -R deploy bin/deploy
	image="{{ cookiecutter.service_name }}=$$IMAGE@$$(cat $(RELEASE)/digest)" && for overlay in $(notdir $(wildcard deploy/overlays/*)); do \
		(cd bin/deploy/overlays/$$overlay && $(KUSTOMIZE) edit set image "$$image") && \
		$(KUSTOMIZE) build bin/deploy/overlays/$$overlay >$(RELEASE)/$$overlay.yaml || exit; done
{%- endif %}

# Writes the name of the image, and the commits since the release before. A final release has those of its candidates too.
release-notes:
	echo "Image: \`$$IMAGE:$$VERSION@$$(cat $(RELEASE)/digest)\`" >$(RELEASE)/notes.md
	echo >>$(RELEASE)/notes.md
	case $$VERSION in *-*) ;; *) final="--exclude v*-*" ;; esac; \
	before=$$(git describe --tags --abbrev=0 --match 'v[0-9]*' $$final HEAD^ 2>/dev/null); \
	git log --no-merges --max-count=500 --format='- %s (%h)' "$${before:+$$before..}HEAD" >>$(RELEASE)/notes.md

.PHONY: publish template-update template-propose
publish: ## make a release of VERSION on {{ "GitHub" if cookiecutter.ci == "github" else "GitLab" }}, with the files in bin/release (in the pipeline only)
	ci/publish "$$VERSION" $(RELEASE)

template-update: $(CRUFT) ## update to the newest release of the template, in the branch template-update
	ci/template-update $(CRUFT)

template-propose: ## push that branch, and ask for its review (in the pipeline only)
	ci/template-propose

$(CRUFT):
	python3 -m venv bin/cruft
	bin/cruft/bin/pip install --quiet cruft==2.16.0
