import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration } from '@tandem/config/check.ts'
import { placesOf } from '../src/domain/places.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')

function places(change: (text: string) => string) {
  const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text: change(acme) }] })
  assert.ok(checked.kind === 'ok', JSON.stringify(checked))
  return placesOf(checked.configuration)
}

test('R6: emergency services call back the number that the user names, else the DID, else one of the place', () => {
  const plain = places((text) => text)
  const [did] = /(?<=alice:[^\n]*did: ")\+\d+/.exec(acme) ?? []
  assert.equal(plain.callback('alice', 'hq'), did)
  assert.equal(plain.callback(undefined, 'hq'), plain.elin('+14255551900') === 'hq' ? '+14255551900' : undefined)
  assert.equal(plain.callback('nobody', undefined), undefined)
  const own = places((text) => text.replace(/(alice:\s*\{)/, '$1 emergencyCallback: "+14255550000",'))
  assert.equal(own.callback('alice', 'hq'), '+14255550000')
})
