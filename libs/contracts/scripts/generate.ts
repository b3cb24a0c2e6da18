// Writes what is derived from the contracts: golden files of new contracts (an existing one is never overwritten: that
// would be a new version), the AsyncAPI document and the permissions of the NATS server.
//   node libs/contracts/scripts/generate.ts
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { facts, requests } from '../src/all.ts'
import { asyncApiDocument } from '../src/asyncapi.ts'
import { example } from './example.ts'

const golden = new URL('../golden/', import.meta.url)
mkdirSync(golden, { recursive: true })
const write = (name: string, schema: object, example: unknown): void => {
  const file = new URL(`${name}.golden.json`, golden)
  if (existsSync(file)) return
  writeFileSync(file, `${JSON.stringify({ schema, example }, null, 2)}\n`)
}
for (const r of requests) {
  write(`${r.subject}.question`, r.question, example(r.question))
  write(`${r.subject}.answer`, r.answer, example(r.answer))
}
for (const f of facts) write(f.subject, f.body, example(f.body))
writeFileSync(
  new URL('../../../docs/asyncapi.json', import.meta.url),
  `${JSON.stringify(asyncApiDocument(), null, 2)}\n`,
)
