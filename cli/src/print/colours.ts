/**
 * Colours for people at a terminal only. What another program reads stays plain, also where `CI` is set (picocolors alone
 * would colour there, and `ready …` would not begin its line).
 */
import picocolors from 'picocolors'

const { NO_COLOR, FORCE_COLOR, TERM } = process.env
const forced = FORCE_COLOR !== undefined && FORCE_COLOR !== '' && FORCE_COLOR !== '0'
const terminal = process.stdout.isTTY === true && TERM !== 'dumb'

export const colours = picocolors.createColors((NO_COLOR === undefined || NO_COLOR === '') && (forced || terminal))
