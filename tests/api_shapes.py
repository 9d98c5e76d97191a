"""Holds together what is read (shapes) and what OpenAPI says is read (serializers)."""

from rest_framework import serializers

from config.api.rows import Batch, Shape


def assert_same_shape(
    serializer_class: type[serializers.BaseSerializer], shape: Shape
) -> None:
    """The serializer describes exactly the fields that the shape has, nested ones too.

    A `Batch` is compared if it names the shape of its values.
    """
    assert described(serializer_class()) == declared(shape)


def described(serializer: serializers.BaseSerializer) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, field in serializer.fields.items():
        inner = getattr(field, "child", field)
        if not field.write_only:
            nested = isinstance(inner, serializers.Serializer)
            found[name] = described(inner) if nested else None
    return found


def declared(shape: Shape) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, source in shape.fields.items():
        inner = source.shape if isinstance(source, Batch) else source
        found[name] = declared(inner) if isinstance(inner, Shape) else None
    return found
