"""The name under which PEFT knows the method."""


class PeftTypeName(str):
    """A PEFT type outside PEFT's closed enum: a string that answers to what callers ask of an enum member.

    PEFT looks types up by equality and writes them to JSON, for which a string will do; transformers reads ``.value``,
    and PEFT's layer status reads ``str()`` as ``PeftType.NAME``.
    """

    __slots__ = ()

    @property
    def value(self) -> str:
        """The bare name, as an enum member gives it."""
        return str.__str__(self)

    @property
    def name(self) -> str:
        """The bare name, as an enum member gives it."""
        return self.value

    def __str__(self) -> str:
        return f"PeftType.{self.value}"


ILORA = PeftTypeName("ILORA")
PREFIX = "ilora_"
