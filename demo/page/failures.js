import { say } from './view.js'

/**
 * Shows the error of an action in the notice next to its button.
 * @param {HTMLElement} notice
 * @param {() => Promise<void>} action
 */
export async function attempt(notice, action) {
  try {
    await action()
  } catch (error) {
    say(notice, message(error), true)
  }
}

/** @param {unknown} error */
function message(error) {
  if (!(error instanceof Error)) return String(error)
  // The issuer's own description of an OAuth error, if it sent one.
  const description = 'error_description' in error ? error.error_description : undefined
  return typeof description === 'string' ? `Error from the issuer: ${description}` : error.message
}

/**
 * Says which server gave no answer, where the browser says only that a fetch failed.
 * @template T
 * @param {string} server
 * @param {Promise<T>} answer
 * @returns {Promise<T>}
 */
export async function orUnreachable(server, answer) {
  try {
    return await answer
  } catch (error) {
    // What `fetch` throws if there is no answer, or none that the page may read.
    if (!(error instanceof TypeError)) throw error
    throw new Error(
      `No answer from ${server}. Check that it is running and that it allows the origin of this page.`,
      { cause: error },
    )
  }
}
