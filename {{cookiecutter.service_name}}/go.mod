{%- from "modules.jinja" import modules with context -%}
go {{ cookiecutter.go_version }}.0

{% if modules %}{% include "modules/" ~ modules ~ ".mod" %}
{% endif %}module {{ cookiecutter.module_path }}
