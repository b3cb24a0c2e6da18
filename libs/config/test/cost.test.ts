import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration } from '../src/check.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')

/** Warnings of acme whose international route compares both trunks, with `limits` of the one that is paid by bandwidth. */
function warned(limits: string): string[] {
  const text = acme
    .replace('trunks: [itsp-b], select: cost', 'trunks: [itsp-b, itsp-a], select: cost')
    .replace('    cost: itsp-b-bandwidth\n', `    cost: itsp-b-bandwidth\n${limits}`)
  assert.ok(text.includes(limits) && text.includes('[itsp-b, itsp-a]'))
  const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text }] })
  assert.equal(checked.kind, 'ok')
  return checked.warnings.map(({ line, path, message, instead }) => {
    const at = (text.split('\n')[line - 1] ?? '').trim()
    return `${path} (${at}): ${message}. ${instead}`
  })
}

test('R3: least-cost routing over a trunk that is paid by bandwidth is told to stay below its commit', () => {
  const instead = 'Write limits: { bandwidth: 5Mbit/s }: what is above goes to the next trunk.'
  assert.deepEqual(warned(''), [
    `trunks.itsp-b.cost (cost: itsp-b-bandwidth): least-cost routing takes itsp-b first without a limit, also above its commit of 5Mbit/s. ${instead}`,
  ])
  const wide = '    limits: { bandwidth: 8Mbit/s }\n'
  assert.deepEqual(warned(wide), [
    `trunks.itsp-b.limits.bandwidth (${wide.trim()}): least-cost routing takes itsp-b first up to 8Mbit/s, also above its commit of 5Mbit/s. ${instead}`,
  ])
  assert.deepEqual(warned('    limits: { bandwidth: 5000kbit/s }\n'), [])
})
