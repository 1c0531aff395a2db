using Godwit.Oci;

namespace Godwit.Images.Catalogue;

/// <summary>A container that was made from an image.</summary>
internal readonly record struct ImageUser(string ContainerId, Digest Image, bool IsRunning);

/// <summary>
/// What removing an image, by one of its names or by its id, means. Pure: the catalogue and its users in, the new catalogue
/// and the steps out. As people know it from docker: a name goes alone while others remain; with the last one goes the image,
/// and with it the unnamed parents that nothing else needs.
/// </summary>
internal sealed record RemovalPlan(ImageCatalogue Result, IReadOnlyList<ImageRemoval> Steps)
{
    /// <exception cref="ImageException">It may not be removed (<see cref="ImageErrorKind.Conflict"/>): says who uses it and what to do.</exception>
    public static RemovalPlan For(ImageCatalogue catalogue, Digest image, ImageReference? name, RemovalWish wish)
    {
        var plan = new Builder(catalogue, wish);
        plan.Remove(image, name is null ? null : ImageCatalogue.Plain(name));
        return new RemovalPlan(plan.Catalogue, plan.Steps);
    }

    private sealed class Builder(ImageCatalogue catalogue, RemovalWish wish)
    {
        public ImageCatalogue Catalogue { get; private set; } = catalogue;

        public List<ImageRemoval> Steps { get; } = [];

        public void Remove(Digest image, ImageReference? name)
        {
            var names = Catalogue.NamesOf(image).ToList();
            var tags = names.Where(each => each.Tag is not null).ToList();
            if (name is not null && IsLastingOthers(name, names))
            {
                Untag(name);
                return;
            }

            if (name is null && tags.Select(tag => tag.Name).Distinct(StringComparer.Ordinal).Count() > 1 && !wish.Force)
            {
                throw Conflict($"unable to delete {image.Short} (must be forced) - image is referenced in multiple repositories");
            }

            RefuseUsed(image, name);
            foreach (var each in names)
            {
                Untag(each);
            }

            if (!Catalogue.HasChildren(image) && !wish.Users.Any(user => user.Image == image && wish.Force && user.IsRunning))
            {
                Delete(image);
            }
        }

        /// <summary>Whether taking this one name away leaves the image with a name: its tag's digests in the same repository go with its last tag there.</summary>
        private bool IsLastingOthers(ImageReference name, List<ImageReference> names)
        {
            var rest = names.Where(each => each != name).ToList();
            if (name.Tag is not null && !rest.Any(each => each.Tag is not null && each.Name == name.Name))
            {
                var digests = rest.Where(each => each.Digest is not null && each.Name == name.Name).ToList();
                rest.RemoveAll(digests.Contains);
                if (rest.Count > 0)
                {
                    digests.ForEach(Untag);
                }
            }

            return rest.Count > 0;
        }

        private void RefuseUsed(Digest image, ImageReference? name)
        {
            foreach (var user in wish.Users.Where(user => user.Image == image))
            {
                var container = user.ContainerId[..Math.Min(12, user.ContainerId.Length)];
                if (user.IsRunning && (name is null || !wish.Force))
                {
                    throw Conflict(name is null
                        ? $"unable to delete {image.Short} (cannot be forced) - image is being used by running container {container}"
                        : $"unable to remove repository reference \"{name}\" (must force) - container {container} is using its referenced image {image.Short}");
                }

                if (!wish.Force)
                {
                    throw Conflict(name is null
                        ? $"unable to delete {image.Short} (must be forced) - image is being used by stopped container {container}"
                        : $"unable to remove repository reference \"{name}\" (must force) - container {container} is using its referenced image {image.Short}");
                }
            }

            if (name is null && Catalogue.HasChildren(image) && !Catalogue.NamesOf(image).Any())
            {
                throw Conflict($"unable to delete {image.Short} (cannot be forced) - image has dependent child images");
            }
        }

        private void Untag(ImageReference name)
        {
            Catalogue = Catalogue with { Names = Catalogue.Names.Remove(name) };
            Steps.Add(new ImageRemoval.Untagged(name));
        }

        private void Delete(Digest image)
        {
            for (Digest? next = image; next is { } gone;)
            {
                var parent = Catalogue.Images[gone].Parent;
                Catalogue = Catalogue with { Images = Catalogue.Images.Remove(gone) };
                Steps.Add(new ImageRemoval.Deleted(gone));
                next = parent is { } above && !wish.KeepParents && Catalogue.Images.ContainsKey(above) && !Catalogue.HasChildren(above)
                    && !Catalogue.NamesOf(above).Any() && !wish.Users.Any(user => user.Image == above) ? above : null;
            }
        }

        private static ImageException Conflict(string words) => new(ImageErrorKind.Conflict, $"conflict: {words}");
    }
}

/// <summary>How an image is to be removed.</summary>
/// <param name="Force">Also with several names, or in use.</param>
/// <param name="KeepParents">Leave unnamed parents.</param>
/// <param name="Users">All containers.</param>
internal sealed record RemovalWish(bool Force, bool KeepParents, IReadOnlyList<ImageUser> Users);
