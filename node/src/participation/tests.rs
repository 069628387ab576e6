use super::*;

#[test]
fn votes_begin_at_the_guards_height_whatever_became_of_the_log() {
    // Decided, voted at, to be reached first.
    for (decided, voted, reach) in
        [(0, 0, None), (0, 1, None), (4, 5, None), (5, 5, None), (9, 5, None), (3, 5, Some(4))]
    {
        assert_eq!(height_to_reach(Height::new(decided), voted), reach.map(Height::new), "{decided} {voted}");
    }
}
