/** What the sections of the configuration are written with: texts, shapes, lists and names, each with its bound. */
import Type, { type TSchema } from 'typebox'
import { LIMITS, SHAPES } from '../shapes.ts'

export const text = (description: string, options: Record<string, unknown> = {}) =>
  Type.String({ description, minLength: 1, maxLength: LIMITS.text, ...options })

export const shaped = (shape: (typeof SHAPES)[keyof typeof SHAPES], description: string) =>
  Type.String({
    description,
    pattern: shape.pattern,
    maxLength: LIMITS.text,
    title: shape.title,
    examples: [shape.example],
  })

export const object = <T extends Record<string, TSchema>>(properties: T, description: string) =>
  Type.Object(properties, { additionalProperties: false, description })

export const list = <T extends TSchema>(items: T, description: string, options: Record<string, unknown> = {}) =>
  Type.Array(items, { description, minItems: 1, maxItems: LIMITS.list, ...options })

export const named = <T extends TSchema>(value: T, description: string, maxProperties: number = LIMITS.names) =>
  Type.Record(Type.String({ pattern: SHAPES.name.pattern }), value, {
    additionalProperties: false,
    maxProperties,
    description,
  })

export const oneOf = <const T extends readonly string[]>(values: T, description: string) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], description })

/** A secret is never in the file: it is named by where it is. */
export const Secret = Type.Unsafe<{ env: string } | { file: string }>({
  title: 'secret by reference',
  description: 'Where the secret is: { env: NAME } or { file: path }. Never the secret itself.',
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  properties: {
    env: {
      title: 'name of an environment variable',
      type: 'string',
      description: 'name of an environment variable',
      pattern: '^[A-Z_][A-Z0-9_]{0,127}$',
      examples: ['ALICE_PASSWORD'],
    },
    file: { type: 'string', description: 'path of a file that holds it', minLength: 1, maxLength: LIMITS.text },
  },
  examples: [{ env: 'ALICE_PASSWORD' }],
})

export const Name = (of: string) => shaped(SHAPES.name, `name of a ${of}`)

export const Names = (of: string, options: Record<string, unknown> = {}) =>
  list(Name(of), `names of ${of}s, in order`, options)

export const Pattern = text('regular expression over the number, matched from the first character written', {
  maxLength: LIMITS.pattern,
  examples: ['^\\+1(\\d{10})$'],
})

export const Duration = (description: string) => shaped(SHAPES.duration, description)

export const Bandwidth = (description: string) => shaped(SHAPES.bandwidth, description)

export const E164 = (description: string) => shaped(SHAPES.e164, description)

export const Network = shaped(SHAPES.network, 'IPv4 or IPv6 network in CIDR form, or one address')

export const Srtp = (whose: string) =>
  Type.Optional(oneOf(['off', 'optional', 'required'], `SDES-SRTP (RFC 4568, RFC 8643) ${whose}`))

export const Bypass = (where: string) =>
  Type.Optional(Type.Boolean({ description: `audio goes straight between peers ${where}, not through the edge` }))

const CodecNames = (description: string) =>
  Type.Optional(
    list(text('encoding name', { maxLength: 32, examples: ['PCMU'] }), description, {
      maxItems: 32,
      uniqueItems: true,
    }),
  )

export const Codecs = Type.Optional(
  object(
    {
      allow: CodecNames('codecs that may be offered, no others; DTMF and comfort noise always may'),
      strip: CodecNames('codecs that are never offered'),
      order: CodecNames('offered first, in this order'),
    },
    'codecs in offers to and from this trunk',
  ),
)

export const Digest = (description: string) =>
  list(oneOf(['md5', 'sha-256', 'sha-512-256'], 'digest algorithm'), description, { maxItems: 3, uniqueItems: true })
