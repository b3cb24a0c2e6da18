/** A full example of a schema: every optional field too, so that the golden file shows the whole shape. */
interface Schema {
  const?: unknown
  anyOf?: Schema[]
  allOf?: Schema[]
  type?: string
  properties?: Record<string, Schema>
  patternProperties?: Record<string, Schema>
  items?: Schema | Schema[]
  minimum?: number
  pattern?: string
}

/** One text for each pattern that the contracts use. */
const samples = ['id-1', '2026-01-02T03:04:05.678Z', '12.5000', 'USD', 'text']

export function example(s: Schema): unknown {
  if ('const' in s) return s.const
  if (s.anyOf) return example(s.anyOf[0] as Schema)
  if (s.allOf) return Object.assign({}, ...s.allOf.map(example))
  switch (s.type) {
    case 'object':
      if (s.properties) return Object.fromEntries(Object.entries(s.properties).map(([k, v]) => [k, example(v)]))
      return Object.fromEntries(Object.values(s.patternProperties ?? {}).map((v) => ['key', example(v)]))
    case 'array':
      return Array.isArray(s.items) ? s.items.map(example) : [example(s.items as Schema)]
    case 'integer':
    case 'number':
      return s.minimum ?? 1
    case 'boolean':
      return false
    case 'null':
      return null
    default: {
      const found = samples.find((t) => s.pattern === undefined || new RegExp(s.pattern).test(t))
      if (found === undefined) throw new Error(`no sample for ${s.pattern}`)
      return s.pattern === undefined ? 'text' : found
    }
  }
}
