"""The answers of go-service-template: what each question accepts, and how Cookiecutter asks and checks.

Cookiecutter imports it by name from the template's folder, so no other package may have that name.
"""
