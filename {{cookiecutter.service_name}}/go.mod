go {{ cookiecutter.go_version }}.0

module {{ cookiecutter.module_path }}
