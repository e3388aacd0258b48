-- Rentals and payments per customer and film category: does a customer return to the same genre?
-- A rental counts in the window in which it was rented, a payment in the one in which it was paid, with
-- the category of the film that the rental was of. What can't be traced to a category is kept as 'unknown'.
with film as (
    select i.inventory_id, c.name as category
    from formatted.inventory as i
    join formatted.film_category as fc on fc.film_id = i.film_id
    join formatted.category as c on c.category_id = fc.category_id
),
rented as (
    select r.customer_id, coalesce(f.category, 'unknown') as category, count(*) as rentals
    from formatted.rental as r
    left join film as f on f.inventory_id = r.inventory_id
    where r.rented_at >= $window_start and r.rented_at < $window_end
    group by r.customer_id, coalesce(f.category, 'unknown')
),
paid as (
    select p.customer_id, coalesce(f.category, 'unknown') as category, sum(p.amount) as amount
    from formatted.payment as p
    left join formatted.rental as r on r.rental_id = p.rental_id
    left join film as f on f.inventory_id = r.inventory_id
    where p.paid_at >= $window_start and p.paid_at < $window_end
    group by p.customer_id, coalesce(f.category, 'unknown')
)
select
    coalesce(rented.customer_id, paid.customer_id) as customer_id,
    coalesce(rented.category, paid.category) as category,
    cast(coalesce(rented.rentals, 0) as bigint) as rentals,
    cast(coalesce(paid.amount, 0) as decimal(18, 3)) as amount
from rented
full join paid on paid.customer_id = rented.customer_id and paid.category = rented.category
