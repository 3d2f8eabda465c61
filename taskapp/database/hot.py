"""Statements of nearly every request, which the driver's own cursor runs.

SQLAlchemy writes the text of such a statement once, and says once how its values and its columns
are converted; a run is then a cursor, a call and the rows. An error takes the way of every other,
through SQLAlchemy's connection, which knows a lost one.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from operator import methodcaller
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from flask import g
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.sql import visitors

from taskapp.database.prepared import Prepared
from taskapp.database.session import Body, Row, reads, writes
from taskapp.extensions import settings

Convert = Callable[[Any], Any]
Take = Callable[[Any], list[Any]]  # the rows that are wanted, from a cursor or a result
Select = sa.Select[*tuple[Any, ...]]
Statement = Select | sa.CompoundSelect[*tuple[Any, ...]] | sa.UpdateBase
ALL_ROWS: Take = methodcaller("fetchall")
MOST_TEXTS = 64  # of one statement: one for each length of its lists, and for each set of columns


class Along(NamedTuple):
    """What a statement was asked along with another: its next run needs no other trip."""

    hot: "Hot"
    values: Body
    rows: list[tuple[Any, ...]]


class Hot:
    """A statement that is made once and run often: a SELECT of a request's reads.

    It runs as any other by `FAST=0`, where a replica may answer, and while somebody listens to the
    engine's statements. PostgreSQL keeps its plan, unless the best one depends on the values.
    """

    def __init__(
        self, statement: Statement, *, keeps_plan: bool = True, take: Take = ALL_ROWS
    ) -> None:
        self.statement = statement
        self.keeps_plan = keeps_plan
        self.take = take
        self.names = tuple(map(str, statement.exported_columns.keys()))
        self.parent = SimpleResultMetaData(self.names)
        self.texts: dict[Any, Text] = {}
        self.lists: list[str] = []
        self.pairs: dict[Hot, Hot] = {}
        for part in visitors.iterate(statement):
            if isinstance(part, sa.BindParameter) and part.expanding and not part.unique:
                self.lists.append(part.key)

    def tuples(self, values: Body) -> list[tuple[Any, ...]]:
        """All rows of it."""
        held = g._get_current_object()  # a proxy: it costs
        along: Along | None = held.pop("along", None)
        if along is not None and along.hot is self and values.items() <= along.values.items():
            return along.rows
        return self._fetch(values)

    def _fetch(self, values: Body) -> list[tuple[Any, ...]]:
        connection = self.connection()
        if not is_hot(connection):
            return self._plainly(connection, values)
        text = self._text(connection.dialect, values)
        return text.run(connection, values, self.take)

    def connection(self) -> sa.Connection:
        """Reads are outside any transaction."""
        return reads()

    def rows(self, values: Body) -> list[Row]:
        """The same, with names."""
        parent, index = self.parent, self.parent._key_to_index
        return [sa.Row(parent, None, index, values) for values in self.tuples(values)]

    def row(self, values: Body) -> Row:
        """The row that it would read where these are known, by name; there may be more."""
        known = tuple(map(values.__getitem__, self.names))
        return sa.Row(self.parent, None, self.parent._key_to_index, known)

    def values_of(self, row: tuple[Any, ...]) -> Body:
        """The values of one of its rows, by name."""
        return dict(zip(self.names, row, strict=True))

    def one_or_raise(self, values: Body, refusal: type[Exception]) -> Row:
        """The one row of it.

        Raises:
            refusal: There is none.
        """
        rows = self.rows(values)
        if not rows:
            raise refusal
        return rows[0]

    def along(self, other: "Hot", values: Body) -> Row | None:
        """The one row of `other`, asked for in one trip with all of these; `tuples` then has them.

        None where either has no row: whoever needs to know which asks for them apart.
        """
        rows = self._pair(other)._fetch(values)
        if not rows:
            return None
        width = len(self.names)
        held = g._get_current_object()  # a proxy: it costs
        held.along = Along(self, values, [row[:width] for row in rows])
        return sa.Row(other.parent, None, other.parent._key_to_index, rows[0][width:])

    def _pair(self, other: "Hot") -> "Hot":
        """Each of these rows beside the one of `other`."""
        pair = self.pairs.get(other)
        if pair is None:
            these, single = cast("Select", self.statement), cast("Select", other.statement)
            one = single.subquery()
            both = these.add_columns(*one.c).join(one, sa.true())
            keeps_plan = self.keeps_plan and other.keeps_plan
            pair = self.pairs[other] = Hot(both, keeps_plan=keeps_plan)
        return pair

    def _plainly(self, connection: sa.Connection, values: Body) -> list[tuple[Any, ...]]:
        result = connection.execute(self.statement, values)
        if not result.returns_rows:
            return []
        with result:
            return [tuple(row) for row in self.take(result)]

    def _text(self, dialect: sa.Dialect, values: Body) -> "Text":
        key = (dialect.name, *self._form(values))
        text = self.texts.get(key)
        if text is None:
            if len(self.texts) > MOST_TEXTS:
                self.texts.clear()
            text = self.texts[key] = Text(self.statement, self.lists, dialect, values)
            if self.keeps_plan and not self.lists and dialect.name == "postgresql":
                text.prepare()
        return text

    def _form(self, values: Body) -> Iterable[Any]:
        """What the text depends on."""
        return [len(values[name]) for name in self.lists]


class HotWrite(Hot):
    """The same inside the request's transaction: the SELECT that locks, and what writes then.

    The columns that an INSERT or an UPDATE sets are those that it is given values for.
    """

    def connection(self) -> sa.Connection:
        return writes()

    def _form(self, values: Body) -> Iterable[Any]:
        return values


def is_hot(connection: sa.Connection) -> bool:
    """Whether nobody else has a say in how it runs a statement.

    A replica decides for each, and whoever listens to the engine's statements, as a tracer does,
    is told of all.
    """
    if type(connection) is not sa.Connection or not settings().fast:
        return False
    return not connection.engine.dispatch.before_cursor_execute


class Text:
    """A statement as one dialect has it, and what is converted on its way in and out."""

    def __init__(
        self, statement: Statement, lists: list[str], dialect: sa.Dialect, values: Body
    ) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(values))
        # These values say how many an IN has; each run brings its own.
        state = compiled.construct_expanded_state(values)
        self.text = state.statement
        self.order = state.positiontup  # None where parameters go by name
        self.lists = {name: state.parameter_expansion[name] for name in lists}
        converts: dict[str, Convert] = dict(state.processors)
        for name, parameter in compiled.binds.items():
            convert = parameter.type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None and not parameter.expanding:
                converts[name] = convert
        own = values.keys() | set(chain(*self.lists.values()))
        self.names = [name for name in state.parameters if name in own]
        self.converts_in = {name: converts[name] for name in self.names if name in converts}
        self.constants: Body = {}
        for name in state.parameters.keys() - own:
            value = state.parameters[name]
            self.constants[name] = converts[name](value) if name in converts else value
        self.converts_out: list[tuple[int, Convert]] = []
        for number, column in enumerate(statement.exported_columns):
            convert = column.type.dialect_impl(dialect).result_processor(dialect, None)
            if convert is not None:
                self.converts_out.append((number, convert))
        self.errors = dialect.loaded_dbapi.Error
        self.prepared: Prepared | None = None

    def prepare(self) -> None:
        """From now on PostgreSQL keeps it, on each connection that runs it."""
        if self.names:
            self.prepared = Prepared(self.text, self.names, self.constants)

    def run(self, connection: sa.Connection, values: Body, take: Take) -> list[tuple[Any, ...]]:
        parameters = self._parameters(values)
        pooled = connection.connection
        cursor = pooled.cursor()
        try:
            text = self.prepared.text_on(pooled) if self.prepared else self.text
            cursor.execute(text, parameters)
            found: Any = take(cursor) if cursor.description else []
        except self.errors as error:
            # The one way in to what `execute` does with it: wrap it, and drop a lost connection.
            connection._handle_dbapi_exception(error, self.text, parameters, cursor, None)
        finally:
            cursor.close()
        if not self.converts_out:
            return list(found)
        return [self._converted(row) for row in found]

    def _parameters(self, values: Body) -> Any:
        parameters = self.constants | values
        for name, places in self.lists.items():
            parameters.update(zip(places, values[name], strict=True))
        for name, convert in self.converts_in.items():
            parameters[name] = convert(parameters[name])
        if self.order is None:
            return parameters
        return [parameters[name] for name in self.order]

    def _converted(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(row)
        for number, convert in self.converts_out:
            values[number] = convert(values[number])
        return tuple(values)
