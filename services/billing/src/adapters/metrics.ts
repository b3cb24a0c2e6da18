import { Counter, Gauge } from 'prom-client'

export const legsStored = new Counter({
  name: 'tandem_billing_legs_total',
  help: 'Leg records by what became of them',
  labelNames: ['outcome'],
})
export const deadLetters = new Counter({
  name: 'tandem_billing_dead_letters_total',
  help: 'Messages put aside because they cannot be taken in: look at each',
})
export const databaseAway = new Gauge({
  name: 'tandem_billing_database_away',
  help: '1 while the database cannot be reached',
})
export const orphans = new Counter({
  name: 'tandem_billing_orphans_total',
  help: 'Legs whose end was estimated because no edge spoke of them any more',
})
export const corrections = new Counter({
  name: 'tandem_billing_corrections_total',
  help: 'Estimated records that the true end has replaced',
})
