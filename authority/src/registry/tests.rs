use super::*;

fn thing(class: Class, name: &str, field: u64, moving: u64) -> Thing {
    Thing {
        class,
        name: name.to_owned(),
        fields: vec![("epoch", Value::Number(field))],
        moving: vec![("next_sequence", Value::Number(moving))],
    }
}

fn said(node: &str, id: u8, height: u64, things: &[Thing]) -> Registry {
    Registry {
        height,
        sequence: 4,
        id: Hash([id; 32]),
        version: Hash([id; 32]),
        things: things.to_vec(),
        said_by: vec![node.to_owned()],
        replayed: None,
    }
}

#[test]
fn one_liar_among_four_does_not_say_what_is_registered() {
    let honest = [thing(Class::Issuer, "1", 1, 70)];
    let later = [thing(Class::Issuer, "1", 1, 75)];
    let lied = [thing(Class::Issuer, "1", 2, 70)];
    let longer = [honest[0].clone(), thing(Class::Issuer, "2", 1, 1)];
    let a = said("a", 4, 100, &honest);
    assert_eq!(agreed(std::slice::from_ref(&a), 2), None, "nobody agrees with it");
    for liar in
        [said("x", 4, 100, &lied), said("x", 4, 100, &longer), said("x", 4, 100, &[]), said("x", 9, 100, &honest)]
    {
        assert_eq!(agreed(&[liar.clone(), a.clone()], 2), None, "{liar:?}");
        let found = agreed(&[liar, a.clone(), said("b", 4, 98, &later)], 2).unwrap();
        // What moves is not compared, and comes from whoever stands lowest.
        assert_eq!((found.height, found.said_by), (98, vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(found.things, later);
    }
    assert_eq!(agreed(&[], 1), None);
}

#[test]
fn the_next_free_number_is_above_all_that_were_used() {
    let things = [thing(Class::Unit, "9", 0, 0), thing(Class::Unit, "21", 0, 0), thing(Class::Key, "4294967295", 0, 0)];
    let registry = said("a", 1, 1, &things);
    assert_eq!(registry.next_free(Class::Unit), Some(22));
    assert_eq!(registry.next_free(Class::Segment), Some(1));
    assert_eq!(registry.next_free(Class::Kind), None, "kinds are given by others");
    assert_eq!(registry.next_free(Class::Key), None, "no number is left");
}
