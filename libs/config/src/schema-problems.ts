/** The schema's verdict in words: what is wrong and what to write instead. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import Value from 'typebox/value'
import { nearest } from './nearest.ts'
import { ConfigurationSchema } from './schema.ts'
import type { Path, Source, Step } from './source.ts'
import { type Problem, writePath } from './source.ts'

/** Compiling takes half a second: done only when there is something to explain, or much to check. */
let compiled: ValidateFunction | undefined
function validator(): ValidateFunction {
  if (compiled) return compiled
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, discriminator: true })
  addFormats.default(ajv, ['date-time'])
  compiled = ajv.compile(JSON.parse(JSON.stringify(ConfigurationSchema)))
  return compiled
}

const MUCH = 1000

export function schemaProblems(source: Source): Problem[] {
  if (entries(source.value) < MUCH && Value.Check(ConfigurationSchema, source.value)) return []
  const validate = validator()
  if (validate(source.value)) return []
  const errors = validate.errors ?? []
  const misspelt = new Set(errors.map(meantKey))
  return errors.flatMap((error) => (misspelt.has(missingKey(error)) ? [] : describe(error, source)))
}

/** A key that is missing because it is misspelt is said once, at the misspelling. */
function missingKey(error: ErrorObject): string {
  const { missingProperty } = error.params as { missingProperty?: string }
  return missingProperty === undefined ? 'none' : `${error.instancePath}/${missingProperty}`
}
function meantKey(error: ErrorObject): string | null {
  const { additionalProperty } = error.params as { additionalProperty?: string }
  const known = Object.keys((error.parentSchema as Fragment | undefined)?.properties ?? {})
  return additionalProperty === undefined ? null : `${error.instancePath}/${nearest(additionalProperty, known)}`
}

interface Fragment {
  title?: string
  description?: string
  examples?: unknown[]
  enum?: unknown[]
  properties?: Record<string, Fragment>
  patternProperties?: Record<string, Fragment>
}

function describe(error: ErrorObject, source: Source): Problem[] {
  const path = readPointer(error.instancePath, source.value)
  const schema = (error.parentSchema ?? {}) as Fragment
  const say = (at: Path, part: 'key' | 'value', message: string, instead: string): Problem[] => [
    { ...source.locate(at, part), path: writePath(at), message, instead },
  ]
  const name = path.at(-1) ?? 'the file'
  const params = error.params as Record<string, unknown>
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params.additionalProperty)
      const here = [...path, key]
      if (schema.patternProperties) {
        return say(
          here,
          'key',
          `${key} cannot be a name`,
          'Use up to 64 letters, digits, dots, dashes and underscores, a letter or digit first.',
        )
      }
      if (schema.title === 'secret by reference')
        return say(here, 'key', `${key} is not a place of a secret`, adviseSecret(path))
      const known = Object.keys(schema.properties ?? {})
      const meant = nearest(key, known)
      return say(
        here,
        'key',
        `unknown key ${key}${path.length ? ` in ${writePath(path)}` : ''}`,
        meant ? `Did you mean ${meant}?` : `Known here: ${known.join(', ')}.`,
      )
    }
    case 'required': {
      const key = String(params.missingProperty)
      return say(
        path,
        'key',
        `${key} is missing${path.length ? ` in ${writePath(path)}` : ''}`,
        adviseMissing(key, schema.properties?.[key]),
      )
    }
    case 'type':
      return describeType(error, schema, path, say)
    case 'discriminator':
      return say(
        [...path, 'kind'],
        'value',
        `kind must be per-minute or bandwidth`,
        'Write kind: per-minute or kind: bandwidth.',
      )
    case 'enum':
    case 'const': {
      const allowed = (schema.enum ?? [params.allowedValue]).map(String)
      const meant = nearest(String(error.data), allowed)
      return say(
        path,
        'value',
        `${quote(error.data)} is not possible for ${name}`,
        meant ? `Did you mean ${meant}?` : `Write ${allowed.join(', ')}.`,
      )
    }
    case 'pattern':
      // somebody may have written the secret itself: it is not repeated
      if (schema.title === 'name of an environment variable')
        return say(path, 'value', `env is the name of an environment variable (A-Z, 0-9, _)`, adviseSecret(path))
      return say(
        path,
        'value',
        `${quote(error.data)} is not a ${schema.title ?? 'value of the right form'}`,
        adviseExample(name, schema),
      )
    case 'minProperties':
    case 'maxProperties':
      return schema.title === 'secret by reference'
        ? say(path, 'value', 'a secret is named by exactly one of env and file', adviseSecret(path))
        : say(path, 'key', `${name} ${error.message}`, `Write ${error.message?.replace('must NOT have', 'not')}.`)
    default:
      return say(path, 'value', `${name} ${error.message}`, adviseExample(name, schema))
  }
}

type Say = (at: Path, part: 'key' | 'value', message: string, instead: string) => Problem[]

function describeType(error: ErrorObject, schema: Fragment, path: Path, say: Say): Problem[] {
  const wanted = String((error.params as { type: unknown }).type)
  const name = path.at(-1) ?? 'the file'
  if (schema.title === 'secret by reference') {
    return say(path, 'value', 'a secret is written into the file', adviseSecret(path))
  }
  if (wanted === 'string' && (typeof error.data === 'number' || typeof error.data === 'boolean')) {
    return say(
      path,
      'value',
      `${name} is text, and ${error.data} is read as a ${typeof error.data}`,
      `Put it in quotes: "${error.data}".`,
    )
  }
  if (
    (wanted === 'integer' || wanted === 'number') &&
    typeof error.data === 'string' &&
    error.data.trim() !== '' &&
    !Number.isNaN(Number(error.data))
  ) {
    return say(path, 'value', `${name} is a number`, `Take the quotes away: ${error.data}.`)
  }
  if (wanted === 'array' && typeof error.data !== 'object') {
    return say(path, 'value', `${name} is a list`, `Write [${JSON.stringify(error.data)}].`)
  }
  const what =
    {
      object: 'a section with keys of its own',
      array: 'a list',
      string: 'text',
      boolean: 'true or false',
      integer: 'a whole number',
      number: 'a number',
    }[wanted] ?? wanted
  return say(
    path,
    'value',
    `${name} must be ${what}${schema.description ? ` (${schema.description})` : ''}`,
    adviseExample(name, schema),
  )
}

const NOT_OWNERS = new Set<Step>([
  ...['users', 'trunks', 'password', 'register', 'credentials', 'authenticate', 'sign', 'key', 'secret', 'env', 'file'],
])

function adviseSecret(path: Path): string {
  const owner = path.filter((s) => typeof s === 'string' && !NOT_OWNERS.has(s))
  const variable = `${owner
    .join('_')
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')}_${path.includes('key') ? 'KEY' : 'PASSWORD'}`
  return `Name where it is instead: { env: ${variable} } or { file: secrets/${String(owner[0] ?? 'name')} }.`
}

function adviseMissing(key: string, schema: Fragment | undefined): string {
  const example = schema?.examples?.[0]
  if (example !== undefined)
    return `Add ${key}: ${typeof example === 'string' ? JSON.stringify(example) : flow(example)}.`
  return `Add ${key}:${schema?.description ? ` (${schema.description})` : ''}.`
}

function adviseExample(name: Step, schema: Fragment): string {
  const example = schema.examples?.[0]
  const key = typeof name === 'string' ? `${name}: ` : ''
  if (example !== undefined)
    return `Write for example ${key}${typeof example === 'string' ? JSON.stringify(example) : flow(example)}.`
  return schema.description ? `It is ${schema.description}.` : 'See tandem.schema.json.'
}

function flow(value: unknown): string {
  return `{ ${Object.entries(value as Record<string, unknown>)
    .map(([k, v]) => `${k}: ${v}`)
    .join(', ')} }`
}

function quote(value: unknown): string {
  const written = typeof value === 'string' ? `"${value}"` : JSON.stringify(value)
  // a password in a URL is not repeated
  const text = written.replace(/:\/\/[^\s/@]*@/g, '://…@')
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

/** RFC 6901 pointer → path, with list indices as numbers. */
function readPointer(pointer: string, root: unknown): Path {
  const path: Step[] = []
  let at: unknown = root
  for (const raw of pointer.split('/').slice(1)) {
    const step = raw.replaceAll('~1', '/').replaceAll('~0', '~')
    path.push(Array.isArray(at) ? Number(step) : step)
    at = (at as Record<string, unknown>)?.[step]
  }
  return path
}

/** Users, locations and the like, counted. */
function entries(value: Record<string, unknown>): number {
  return Object.values(value).reduce<number>((n, v) => n + (v && typeof v === 'object' ? Object.keys(v).length : 1), 0)
}
