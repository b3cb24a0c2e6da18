/** Writes tandem.schema.json, which editors use for completion. A test checks that it is current. */
import { writeFileSync } from 'node:fs'
import { schemaText } from '../src/schema-text.ts'

writeFileSync(new URL('../tandem.schema.json', import.meta.url), schemaText())
