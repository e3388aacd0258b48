-- The candidate that each user is most likely to buy after.
select s.userid, s.asktimes, s.askbackoffdays, s.status, s.probability
from exploitation.offer_score as s
where s.rank = 1
