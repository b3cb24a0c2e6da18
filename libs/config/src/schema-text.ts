import { ConfigurationSchema } from './schema.ts'

/** The JSON Schema (draft-07) of the configuration as text, as it stands in tandem.schema.json. */
export function schemaText(): string {
  return `${JSON.stringify(ConfigurationSchema, null, 2)}\n`
}
