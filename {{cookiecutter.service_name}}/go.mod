go {{ cookiecutter.go_version }}.0

{% if cookiecutter.telemetry != "none" %}{% include "modules/" ~ cookiecutter.telemetry ~ ".mod" %}
{% endif %}module {{ cookiecutter.module_path }}
