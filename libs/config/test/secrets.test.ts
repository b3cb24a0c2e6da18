/** Secrets: every place of the schema that can name one is known, and none is repeated when it stands there itself. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration } from '../src/check.ts'
import { ConfigurationSchema } from '../src/schema.ts'
import { keyNames, secretNames } from '../src/secrets.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')

/** Where a secret may be named -> what to replace in acme so that it is, as NAME. */
const PLACES: Record<string, readonly [from: string, to: string]> = {
  'users.*.password': ['ALICE_PASSWORD', 'NAME'],
  'trunks.*.register.password': ['ITSP_B_PASSWORD', 'NAME'],
  'trunks.*.credentials.password': trunk('credentials: { user: acme, password: { env: NAME } }'),
  'trunks.*.authenticate.password': trunk('authenticate: { user: itsp, password: { env: NAME } }'),
  'trunks.*.stir.sign.key': trunk('stir: { sign: { x5u: "https://c.example/a.pem", key: { env: NAME } } }'),
  'edge.cluster.secret': edge('cluster: { secret: { env: NAME } }'),
  'edge.capture.password': edge('capture: { hep: "udp://127.0.0.1:9060", password: { env: NAME } }'),
}

function trunk(line: string): readonly [string, string] {
  return ['    listener: carrier\n    translate:', `    listener: carrier\n    ${line}\n    translate:`]
}

function edge(line: string): readonly [string, string] {
  return ['edge:\n', `edge:\n  ${line}\n`]
}

interface Node {
  readonly title?: string
  readonly properties?: Record<string, Node>
  readonly patternProperties?: Record<string, Node>
  readonly items?: Node
  readonly anyOf?: readonly Node[]
  readonly oneOf?: readonly Node[]
}

function placesIn(node: Node, at: readonly string[] = []): string[] {
  if (node.title === 'secret by reference') return [at.join('.')]
  return [
    ...Object.entries(node.properties ?? {}).flatMap(([key, below]) => placesIn(below, [...at, key])),
    ...Object.values(node.patternProperties ?? {}).flatMap((below) => placesIn(below, [...at, '*'])),
    ...(node.items ? placesIn(node.items, [...at, '[]']) : []),
    ...[...(node.anyOf ?? []), ...(node.oneOf ?? [])].flatMap((below) => placesIn(below, at)),
  ]
}

function acmeWith([from, to]: readonly [string, string]) {
  assert.ok(acme.includes(from), `acme has no ${from}`)
  return checkConfiguration({ files: [{ path: 'tandem.yaml', text: acme.replace(from, () => to) }] })
}

test('every key of the schema that can hold a secret is among those whose names are listed', () => {
  assert.deepEqual(placesIn(ConfigurationSchema as Node).sort(), Object.keys(PLACES).sort())
  for (const [place, change] of Object.entries(PLACES)) {
    const checked = acmeWith(change)
    assert.ok(checked.kind === 'ok', place)
    const names = secretNames(checked.configuration)
    assert.ok(names.includes('NAME'), place)
    assert.deepEqual(keyNames(checked.configuration), place.endsWith('.key') ? ['NAME'] : [], place)
    assert.equal(new Set(names).size, names.length, 'each once')
  }
})

test('a secret that is written into the file is refused, and not repeated', () => {
  for (const [place, [from, to]] of Object.entries(PLACES)) {
    for (const written of ['env: hunter2 is it', 'value: hunter2', 'hunter2: x', 'env: hunter2, file: hunter2']) {
      const change = to === 'NAME' ? [`env: ${from}`, written] : [from, to.replace('env: NAME', written)]
      const checked = acmeWith(change as [string, string])
      assert.ok(checked.kind === 'bad', `${place}: ${written}`)
      if (written !== 'hunter2: x') assert.doesNotMatch(JSON.stringify(checked), /hunter2/, `${place}: ${written}`)
    }
    const bare = to === 'NAME' ? [`{ env: ${from} }`, 'hunter2'] : [from, to.replace('{ env: NAME }', 'hunter2')]
    const checked = acmeWith(bare as [string, string])
    assert.ok(checked.kind === 'bad', place)
    assert.doesNotMatch(JSON.stringify(checked), /hunter2/, place)
  }
})

test('a URL with a password in it is refused, and the password is not repeated', () => {
  for (const change of [
    ['"http://127.0.0.1:8911/911"', '"https://desk:hunter2@alarm.example/911"'],
    ['users:\n', 'numberFacts: { portability: { source: "https://me:hunter2@lnp.example/ported.csv" } }\n\nusers:\n'],
  ] as const) {
    const checked = acmeWith(change)
    assert.ok(checked.kind === 'bad')
    assert.doesNotMatch(JSON.stringify(checked), /hunter2/)
  }
  assert.equal(acmeWith(['"http://127.0.0.1:8911/911"', '"https://alarm.example?to=a@b"']).kind, 'ok')
})
