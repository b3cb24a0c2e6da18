import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

type Validator<S extends TSchema> = (value: unknown) => { ok: true; value: Static<S> } | { ok: false; why: string }

const compiled = new WeakMap<TSchema, Validator<TSchema>>()

/** A compiled check of this schema; compiled once per schema. */
export function validator<S extends TSchema>(schema: S): Validator<S> {
  const known = compiled.get(schema)
  if (known) return known as Validator<S>
  const check = Compile(schema)
  const made: Validator<S> = (value) => {
    if (check.Check(value)) return { ok: true, value: value as Static<S> }
    const first = check.Errors(value)[0]
    return { ok: false, why: first ? `${first.instancePath || '/'} ${first.message}` : 'does not match its contract' }
  }
  compiled.set(schema, made as Validator<TSchema>)
  return made
}
