// Loaded into each test process of `npm test`: properties draw the same values in each run, so that none of two thousand
// tests fails in one run of many. `node --test FILE` draws new ones each time; TANDEM_TEST_SEED=N draws others here (ADR 173).
import { readFileSync } from 'node:fs'

const SEED = Number(process.env.TANDEM_TEST_SEED ?? 20_261_127)

if (/from 'fast-check'/.test(readFileSync(process.argv[1], 'utf8'))) {
  const { default: fc } = await import('fast-check')
  fc.configureGlobal({ seed: SEED })
}
