// random.mjs: numbers that a seed repeats.

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  // A whole number of 32 bits (mulberry32, in the public domain).
  bits() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return (z ^ (z >>> 14)) >>> 0;
  }

  // From 0 to n - 1.
  below(n) {
    return this.bits() % n;
  }

  chance(p) {
    return this.bits() < p * 4294967296;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  // As an id's ending: letters and digits, in no order of time.
  word(length) {
    const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';
    return Array.from({ length }, () => letters[this.below(letters.length)]).join('');
  }

  shuffle(list) {
    const result = [...list];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j], result[i]];
    }
    return result;
  }
}
