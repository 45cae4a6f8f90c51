/** The text that prompts are cut from. */
export const TEXT =
  `The harbour town had two clocks, and they never agreed. The one on the church tower was wound every Sunday by an old man who climbed the stairs with a
lantern, and the one above the fish market was wound by whoever happened to pass. Sailors set their watches by the second clock because it could be seen from the water, while
the people who lived on the hill trusted the first. When a ship was late, it was never clear how late it was, and so nobody was ever blamed. One winter the mayor decided that
the town should have a single time. He wrote to the observatory in the capital and asked for a signal, and after some months a wire was laid along the coast road. Every day at
noon the wire carried a pulse, and a hammer struck a bell on the roof of the customs house. On the first day a crowd gathered to hear it. The church clock said ten minutes to
twelve, the market clock said a quarter past, and between the two the bell rang once, clear and short. The old man with the lantern took off his hat. He had wound that clock for
forty years, he said, and in all that time he had never been told that he was wrong. The market traders laughed, and then they looked up at their own clock and fell quiet. After
that day the town was punctual, and it was also a little less happy, because a late ship was now exactly late, and somebody always had to be asked why. The old man went on climbing
the tower, although there was no longer any need for it.`.replaceAll("\n", " ");
